package pdp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/residual"
	"github.com/verdictpdp/verdict/engine/panics"
	"github.com/verdictpdp/verdict/policy/rego"
)

// maxNarrowed is how many entities the indexes may lead to, those on the way
// included, before all of the type are decided instead.
const maxNarrowed = 100_000

// fewNarrowed is up to how many candidates are rather decided than ruled out: deny is
// evaluated in part for more alone, which may take as long as to decide so many.
const fewNarrowed = 1_000

// narrowed are the candidates that the policy may allow, where the directory's
// indexes lead to them: what is left of the decision while the id is not known has
// alternatives, each with a condition that an index answers. Found is false where
// that is not so, and the notes say why.
func (p *PDP) narrowed(ctx context.Context, on *pin, what SearchFor, request *authz.Request, size int) (ids []string, notes []string, found bool, err error) {
	policy := on.policy.Compiled
	if policy == nil {
		return nil, []string{"the policy cannot be evaluated in part"}, false, nil
	}
	allowed, err := p.residual(ctx, on, what, request, size, residual.OfAllow)
	if err != nil {
		return nil, nil, false, err
	}
	ids, notes, found, err = led(ctx, on, what.typeIn(request), allowed)
	failed := len(allowed.Unexpressed) > 0 && allowed.Where.Op == residual.Never // and would again
	if err != nil || failed || found && len(ids) <= fewNarrowed || !policy.Has(rego.Deny) {
		return ids, notes, found, err
	}
	undenied, err := p.residual(ctx, on, what, request, size, residual.Of)
	if err != nil {
		return nil, nil, false, err
	}
	fewer, why, leads, err := led(ctx, on, what.typeIn(request), undenied)
	if err != nil || leads || !found {
		return fewer, why, leads, err
	}
	return ids, notes, found, nil
}

// led are the candidates that indexes lead to from a residual.
func led(ctx context.Context, on *pin, typ string, left residual.Residual) (ids []string, notes []string, found bool, err error) {
	n := &narrowing{snapshot: on.snapshot, typ: typ, ids: make(map[string]bool)}
	switch {
	case left.Always:
		n.note("the policy allows all of the type, as far as it can be told without the id")
		return nil, n.notes, false, nil
	case len(left.Unexpressed) > 0:
		for _, reason := range left.Unexpressed {
			n.note(at(reason.Place) + reason.Why)
		}
		return nil, n.notes, false, nil
	case len(left.Any) == 0:
		n.note("the policy allows none of the type, whichever it is")
		return nil, n.notes, true, nil
	}
	for _, alternative := range left.Any {
		led, err := n.alternative(alternative)
		if err != nil || !led {
			return nil, n.notes, false, err
		}
	}
	ids, err = n.known(ctx)
	return ids, n.notes, true, err
}

// at is a place in front of what is said of it.
func at(place string) string {
	if place == "" {
		return ""
	}
	return place + ": "
}

// residual is what is left of the decision, or of a part of it. A limit that is met on
// the way is no error of the search, for the candidates may all be decided instead.
// Limits do not depend on the time, but for one that is there to be safe: the end of
// the page.
func (p *PDP) residual(ctx context.Context, on *pin, what SearchFor, request *authz.Request, size int,
	of func(context.Context, *rego.Policy, eval.Input, residual.Unknown) (residual.Residual, error)) (_ residual.Residual, err error) {
	defer panics.Catch("partial evaluation", &err)
	if err := p.checkSize(size); err != nil {
		return residual.Residual{}, err
	}
	unknown := residual.Resource
	if what == Subjects {
		unknown = residual.Subject
	}
	bounded, cancel := context.WithDeadline(ctx, p.pageEnd(ctx, on))
	defer cancel()
	reader := p.cache.Reader(on.snapshot, p.limits.Entities)
	left, err := of(bounded, on.policy.Compiled, eval.Input{
		Request: request, Validated: true, Directory: reader, Now: on.now, Steps: p.limits.Steps,
	}, unknown)
	reader.Release() // after a panic it is in any state
	if err != nil && ctx.Err() != nil {
		return residual.Residual{}, undecided(ctx, err)
	}
	if authz.KindOf(err) == authz.DeadlineExceeded {
		return residual.Residual{Unexpressed: []residual.Reason{{Why: "evaluating the policy in part took all the time that there was"}}}, nil
	}
	return left, err
}

// A narrowing gathers candidates.
type narrowing struct {
	snapshot Snapshot
	typ      string
	// ids are the candidates: false for one that the directory may not know.
	ids     map[string]bool
	visited int // the entities that indexes have led to
	notes   []string
}

// tries are how many entities the index of a condition may lead to, at the first try
// and the next ones: so the condition that leads to few is found, whichever of an
// alternative's it is.
var tries = []int{1_000, 10_000, maxNarrowed}

// alternative adds the candidates of one alternative, by a condition of it that leads
// to few; false where no index leads to them.
func (n *narrowing) alternative(conditions residual.Conjunction) (led bool, err error) {
	answered := slices.DeleteFunc(slices.Clone(conditions), func(c residual.Condition) bool { return promise(c) == none })
	slices.SortStableFunc(answered, func(a, b residual.Condition) int { return cmp.Compare(promise(a), promise(b)) })
	for _, most := range tries {
		var many residual.Conjunction
		for _, c := range answered {
			l := &lead{snapshot: n.snapshot, typ: n.typ, ids: make(map[string]bool), most: min(most, maxNarrowed-n.visited)}
			led, err := l.condition(c)
			n.visited += l.visited
			switch {
			case err != nil:
				return false, err
			case l.tooMany():
				many = append(many, c)
			case led:
				for id, known := range l.ids {
					n.ids[id] = n.ids[id] || known
				}
				n.note(at(c.Place) + "the index of " + indexOf(c) + " answers " + c.String())
				return true, nil
			}
		}
		answered = many
	}
	n.notes = nil
	for _, c := range answered {
		n.note(fmt.Sprintf("%sthe index leads to more than %d entities", at(c.Place), maxNarrowed))
	}
	if len(answered) == 0 {
		for _, c := range conditions {
			n.note(at(c.Place) + "no index answers " + c.String())
		}
	}
	return false, nil
}

// maxNotes is how many notes there are at most, and maxNoteBytes how long each is.
const (
	maxNotes     = 20
	maxNoteBytes = 400
)

func (n *narrowing) note(text string) {
	if len(text) > maxNoteBytes {
		text = strings.ToValidUTF8(text[:maxNoteBytes], "") + "…"
	}
	switch {
	case slices.Contains(n.notes, text):
	case len(n.notes) < maxNotes:
		n.notes = append(n.notes, text)
	default:
		n.notes[maxNotes-1] = "and more"
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

// A lead is what the index of one condition leads to.
type lead struct {
	snapshot Snapshot
	typ      string
	ids      map[string]bool // as in a narrowing
	visited  int
	most     int // of visited
}

// tooMany reports whether there is more than the lead has followed.
func (l *lead) tooMany() bool { return l.visited > l.most }

// condition adds the candidates for which a condition holds, and maybe others;
// false where an index does not tell.
func (l *lead) condition(c residual.Condition) (led bool, err error) {
	if c.Op == residual.IDIn {
		for _, value := range c.Values {
			if id, isText := value.(string); isText && !l.visit(authz.EntityRef{Type: l.typ, ID: id}, false) {
				break
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
	seen := make(map[authz.EntityRef]bool)
	for _, ref := range refs {
		switch c.Op {
		case residual.In, residual.Has:
			led, err = l.snapshot.EachReferring(l.typ, c.Path[0], ref, func(id string) bool {
				return l.visit(authz.EntityRef{Type: l.typ, ID: id}, true)
			})
		case residual.Parent:
			led, err = true, l.snapshot.EachChild(ref, func(child authz.EntityRef) bool { return l.visit(child, true) })
		case residual.GrantOn:
			led, err = l.granted(ref, seen)
		case residual.Ancestor:
			led, err = l.below(ref, seen)
		}
		if err != nil || !led || l.tooMany() {
			return false, err
		}
	}
	return true, nil
}

// visit adds an entity if it is of the type; false where there are too many. It is
// known where it comes from an index of what the directory holds.
func (l *lead) visit(ref authz.EntityRef, known bool) bool {
	if ref.Type == l.typ {
		l.ids[ref.ID] = l.ids[ref.ID] || known
	}
	l.visited++
	return !l.tooMany()
}

// below adds an entity and those below it; false where that is everything. What is
// in seen was added before.
func (l *lead) below(ref authz.EntityRef, seen map[authz.EntityRef]bool) (led bool, err error) {
	if ref.IsRoot() {
		return false, nil
	}
	l.visit(ref, false)
	for open := []authz.EntityRef{ref}; len(open) > 0 && !l.tooMany(); {
		above := open[len(open)-1]
		if open = open[:len(open)-1]; seen[above] {
			continue
		}
		seen[above] = true
		err := l.snapshot.EachChild(above, func(child authz.EntityRef) bool {
			open = append(open, child)
			return l.visit(child, true)
		})
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

// granted adds who has a grant on a scope, and those below them; false where
// everyone has.
func (l *lead) granted(scope authz.EntityRef, seen map[authz.EntityRef]bool) (led bool, err error) {
	var subjects []authz.EntityRef
	err = l.snapshot.EachGrantee(scope, func(subject authz.EntityRef) bool {
		subjects = append(subjects, subject)
		l.visited++
		return !l.tooMany()
	})
	for _, subject := range subjects {
		if err != nil || l.tooMany() {
			return false, err
		}
		if led, err := l.below(subject, seen); err != nil || !led {
			return false, err
		}
	}
	return err == nil, err
}

// known are the candidates that the directory knows, in order.
func (n *narrowing) known(ctx context.Context) ([]string, error) {
	ids := make([]string, 0, len(n.ids))
	for id, known := range n.ids {
		if !known {
			ref := authz.EntityRef{Type: n.typ, ID: id}
			if ref.ValidateStored() != nil {
				continue
			}
			if ctx.Err() != nil {
				return nil, undecided(ctx, nil)
			}
			var err error
			if _, known, err = n.snapshot.Entity(ref); err != nil {
				return nil, err
			}
		}
		if known {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
