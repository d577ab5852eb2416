package pdp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/panics"
)

// maxNarrowed is how many entities the indexes may lead to, those on the way
// included, before all of the type are decided instead.
const maxNarrowed = 100_000

// narrowed are the candidates that the policy may allow, where the directory's
// indexes lead to them: what is left of the decision while the id is not known has
// alternatives, each with a condition that an index answers. Found is false where
// that is not so, and the notes say why.
func (p *PDP) narrowed(ctx context.Context, on *pin, what SearchFor, request *authz.Request, size int) (ids []string, notes []string, found bool, err error) {
	if on.policy.Compiled == nil {
		return nil, []string{"the policy cannot be evaluated in part"}, false, nil
	}
	left, err := p.residual(ctx, on, what, request, size)
	switch {
	case err != nil:
		return nil, nil, false, err
	case left.Always:
		return nil, []string{"the policy allows all of the type, as far as it can be told without the id"}, false, nil
	case len(left.Unexpressed) > 0:
		for _, reason := range left.Unexpressed {
			notes = append(notes, at(reason.Place)+reason.Why)
		}
		return nil, notes, false, nil
	case len(left.Any) == 0:
		return nil, []string{"the policy allows none of the type, whichever it is"}, true, nil
	}
	n := &narrowing{snapshot: on.snapshot, typ: what.typeIn(request), ids: make(map[string]bool)}
	for _, alternative := range left.Any {
		led, err := n.alternative(alternative)
		if err != nil || !led {
			return nil, n.notes, false, err
		}
	}
	ids, err = n.known()
	return ids, n.notes, true, err
}

// at is a place in front of what is said of it.
func at(place string) string {
	if place == "" {
		return ""
	}
	return place + ": "
}

// residual is what is left of the decision. A limit that is met on the way is no
// error of the search, for the candidates may all be decided instead.
func (p *PDP) residual(ctx context.Context, on *pin, what SearchFor, request *authz.Request, size int) (_ residual.Residual, err error) {
	defer panics.Catch("partial evaluation", &err)
	if err := p.checkSize(size); err != nil {
		return residual.Residual{}, err
	}
	unknown := residual.Resource
	if what == Subjects {
		unknown = residual.Subject
	}
	_, _ = on.policy.Compiled.Lookups() // which compiles it when first asked, and so may take longer than an evaluation
	budget := newBudget(ctx, time.Now().Add(p.limits.Evaluation))
	defer budget.release()
	reader := p.cache.Reader(on.snapshot, p.limits.Entities)
	left, err := residual.Of(budget, on.policy.Compiled, eval.Input{
		Request: request, Validated: true, Directory: reader, Now: on.now, Steps: p.limits.Steps,
	}, unknown)
	reader.Release() // after a panic it is in any state
	if err != nil && ctx.Err() != nil {
		return residual.Residual{}, undecided(ctx, err)
	}
	if authz.KindOf(err) == authz.DeadlineExceeded {
		return residual.Residual{Unexpressed: []residual.Reason{{Why: fmt.Sprintf("evaluating the policy in part took longer than %v", p.limits.Evaluation)}}}, nil
	}
	return left, err
}

// A narrowing gathers candidates.
type narrowing struct {
	snapshot Snapshot
	typ      string
	ids      map[string]bool
	visited  int
	notes    []string
}

// alternative adds the candidates of one alternative, by the condition of it that
// promises the fewest; false where no index leads to them.
func (n *narrowing) alternative(conditions residual.Conjunction) (led bool, err error) {
	byPromise := slices.Clone(conditions)
	slices.SortStableFunc(byPromise, func(a, b residual.Condition) int { return cmp.Compare(promise(a), promise(b)) })
	for _, c := range byPromise {
		if promise(c) == none {
			break
		}
		led, err := n.condition(c)
		if err != nil || n.visited > maxNarrowed {
			n.notes = []string{fmt.Sprintf("%sthe index leads to more than %d entities", at(c.Place), maxNarrowed)}
			return false, err
		}
		if led {
			n.note(at(c.Place) + "the index of " + indexOf(c) + " answers " + c.String())
			return true, nil
		}
	}
	n.notes = nil
	for _, c := range conditions {
		n.note(at(c.Place) + "no index answers " + c.String())
	}
	return false, nil
}

func (n *narrowing) note(text string) {
	if !slices.Contains(n.notes, text) {
		n.notes = append(n.notes, text)
	}
}

// none is the promise of a condition that no index answers.
const none = 100

// promise orders conditions by how few entities they mostly hold for.
func promise(c residual.Condition) int {
	if c.Negated {
		return none
	}
	switch c.Op {
	case residual.IDIn:
		return 0
	case residual.In, residual.Has:
		if len(c.Path) == 1 {
			return 1
		}
	case residual.Parent:
		return 2
	case residual.GrantOn:
		return 3
	case residual.Ancestor:
		return 4
	}
	return none
}

// indexOf names the index that answers a condition.
func indexOf(c residual.Condition) string {
	switch c.Op {
	case residual.IDIn:
		return "ids"
	case residual.Parent, residual.Ancestor:
		return "children"
	case residual.GrantOn:
		return "grants"
	default:
		return "references"
	}
}

// condition adds the candidates for which a condition holds, and maybe others;
// false where an index does not tell.
func (n *narrowing) condition(c residual.Condition) (led bool, err error) {
	if c.Op == residual.IDIn {
		for _, value := range c.Values {
			if id, isText := value.(string); isText {
				n.add(id)
			}
		}
		return true, nil
	}
	refs := make([]authz.EntityRef, 0, len(c.Values))
	for _, value := range c.Values {
		text, isText := value.(string)
		ref, err := authz.ParseEntityRef(text)
		if !isText || err != nil {
			return false, nil
		}
		refs = append(refs, ref)
	}
	for _, ref := range refs {
		switch c.Op {
		case residual.In, residual.Has:
			led, err := n.snapshot.EachReferring(n.typ, c.Path[0], ref, n.add)
			if err != nil || !led {
				return false, err
			}
		case residual.Parent:
			err = n.children(ref, func(authz.EntityRef) error { return nil })
		case residual.GrantOn:
			if led, err = n.granted(ref); err == nil && !led {
				return false, nil
			}
		case residual.Ancestor:
			if ref.IsRoot() {
				return false, nil // it is above all
			}
			err = n.below(ref, make(map[authz.EntityRef]bool))
		}
		if err != nil || n.visited > maxNarrowed {
			return false, err
		}
	}
	return true, nil
}

// add adds a candidate; false where there are too many.
func (n *narrowing) add(id string) bool {
	n.ids[id] = true
	n.visited++
	return n.visited <= maxNarrowed
}

// children adds those of an entity's children that are of the type, and visits all
// of them.
func (n *narrowing) children(of authz.EntityRef, visit func(authz.EntityRef) error) (err error) {
	eachErr := n.snapshot.EachChild(of, func(child authz.EntityRef) bool {
		if child.Type == n.typ {
			n.add(child.ID)
		} else {
			n.visited++
		}
		err = visit(child)
		return err == nil && n.visited <= maxNarrowed
	})
	return cmp.Or(err, eachErr)
}

// below adds an entity and those below it, as far as they are of the type.
func (n *narrowing) below(ref authz.EntityRef, seen map[authz.EntityRef]bool) error {
	if seen[ref] {
		return nil
	}
	seen[ref] = true
	if ref.Type == n.typ {
		n.add(ref.ID)
	}
	return n.children(ref, func(child authz.EntityRef) error { return n.below(child, seen) })
}

// granted adds who has a grant on a scope, and those below them; false where
// everyone has.
func (n *narrowing) granted(scope authz.EntityRef) (led bool, err error) {
	seen := make(map[authz.EntityRef]bool)
	var subjects []authz.EntityRef
	err = n.snapshot.EachGrantee(scope, func(subject authz.EntityRef) bool {
		subjects = append(subjects, subject)
		n.visited++
		return n.visited <= maxNarrowed
	})
	for _, subject := range subjects {
		if err != nil || n.visited > maxNarrowed || subject.IsRoot() {
			return false, err
		}
		err = n.below(subject, seen)
	}
	return err == nil, err
}

// known are the candidates that the directory knows, in order.
func (n *narrowing) known() ([]string, error) {
	ids := make([]string, 0, len(n.ids))
	for id := range n.ids {
		ref := authz.EntityRef{Type: n.typ, ID: id}
		if ref.ValidateStored() != nil {
			continue
		}
		_, known, err := n.snapshot.Entity(ref)
		if err != nil {
			return nil, err
		}
		if known {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
