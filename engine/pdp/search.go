package pdp

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/eval"
)

// A SearchFor is what a search looks for.
type SearchFor uint8

// What a search may look for.
const (
	Subjects SearchFor = iota + 1
	Resources
	Actions
)

// A Search asks who may do something, what it may be done to, or what may be done
// (AuthZEN 1.0, section 8).
type Search struct {
	For SearchFor
	// Request is what is asked about. The id of what is searched for, or the name of
	// the action, is ignored.
	Request *authz.Request
	// Limit is how many results are asked for at most, MaxSearchLimit or fewer; 0
	// means DefaultSearchLimit, or that of the page before.
	Limit int
	// Token is Found.Next of the page before, of the same search; empty for the first
	// page.
	Token string
	// Consistency is that of the first page; the others stay on its revision.
	Consistency authz.Consistency
}

// How many results a page of a search holds.
const (
	DefaultSearchLimit = 100
	MaxSearchLimit     = 1_000
)

// maxSearchAge is how long after the first page of a search there may be others: they
// are decided at its time, when a grant may not have ended yet.
const maxSearchAge = 24 * time.Hour

// A Found is a page of results.
type Found struct {
	// IDs are the ids of entities of the type that was searched for, or the names of
	// actions, in order.
	IDs []string
	// Next is the token of the next page. It is empty when the search is complete: a
	// page may hold fewer results than were asked for, even none, and have a next
	// one.
	Next string
	// PolicyRevision and DirectoryRevision are what all pages rest on.
	PolicyRevision    string
	DirectoryRevision uint64
	Method            SearchMethod
	// Notes say what narrowed the candidates, or why nothing could.
	Notes []string
	// Candidates is how many were decided for this page.
	Candidates int
}

// A SearchMethod is how the candidates of a search are found.
type SearchMethod uint8

const (
	// ByIndex is by the directory's indexes, which lead to those that the policy may
	// allow.
	ByIndex SearchMethod = iota + 1
	// ByScan is all entities of the type, or all actions of the policy.
	ByScan
)

// String is the method's name, such as "scan".
func (m SearchMethod) String() string {
	if m == ByIndex {
		return "index"
	}
	return "scan"
}

// Search finds a page of what a decision would allow: of the entities of a type,
// or of the members of the policy's rule actions, those that Decide allows on the
// same revisions and at the same time. A type that there is nothing of has none.
//
// Nothing is left out: a candidate that cannot be decided is an error that names
// it. Other errors are as Decide's; besides, a token of another search is Invalid,
// one of a policy that is no longer active or of a day ago FailedPrecondition, and so
// is a search for actions where the policy does not name any.
func (p *PDP) Search(ctx context.Context, s Search) (Found, error) {
	if err := s.Consistency.Validate(); err != nil {
		return Found{}, err
	}
	if s.Limit < 0 || s.Limit > MaxSearchLimit {
		return Found{}, authz.InvalidField("page_size", "%d: expected 1 to %d, or 0 for %d", s.Limit, MaxSearchLimit, DefaultSearchLimit)
	}
	request, size, err := p.searched(s)
	if err != nil {
		return Found{}, err
	}
	token, err := p.tokens.parse(s.Token, s.For, request)
	if err != nil {
		return Found{}, err
	}
	if token.isSet() {
		if s.Limit != 0 && s.Limit != token.limit {
			return Found{}, authz.InvalidField("page_size", "%d: the pages before had %d, and all pages have the same", s.Limit, token.limit)
		}
		s.Consistency = authz.Consistency{Exact: token.directory}
	}
	pinned, err := p.pin(ctx, request.Tenant, s.Consistency, (*admission.Turns).Long)
	if err != nil {
		return Found{}, err
	}
	defer pinned.release()
	if token.isSet() {
		if !token.policy.is(pinned.policy) {
			return Found{}, authz.Errorf(authz.FailedPrecondition, "another policy has become active since the search began: begin it again")
		}
		if pinned.now.Sub(token.now) > maxSearchAge {
			return Found{}, authz.Errorf(authz.FailedPrecondition, "the search began more than %v ago, and decides what was allowed then: begin it again", maxSearchAge)
		}
		pinned.now = token.now
	} else {
		token = searchToken{policy: identityOf(pinned.policy), directory: pinned.snapshot.Revision(), now: pinned.now, limit: cmp.Or(s.Limit, DefaultSearchLimit)}
	}
	if s.For != Actions {
		pinned.prepareSearch()
	}
	found, err := p.search(ctx, &pinned, s.For, request, size, token)
	p.toldPage(&pinned, &found, err)
	return found, err
}

// searched is what a search asks about, with nothing in the place of what it
// searches for, and how large that is.
func (p *PDP) searched(s Search) (*authz.Request, int, error) {
	if s.Request == nil {
		return nil, 0, authz.Errorf(authz.Invalid, "there is no request")
	}
	request := *s.Request
	place, err := s.For.place(&request)
	if err != nil {
		return nil, 0, err
	}
	*place = "any"
	size, err := inspect(&request, p.limits.InputBytes)
	*place = ""
	// To a policy, one that is empty and none are the same: they are to a token.
	for _, object := range []*authz.Object{&request.Context, &request.Subject.Properties, &request.Action.Properties, &request.Resource.Properties} {
		if len(*object) == 0 {
			*object = nil
		}
	}
	return &request, size, err
}

// place is where a candidate goes.
func (f SearchFor) place(r *authz.Request) (*string, error) {
	switch f {
	case Subjects:
		return &r.Subject.ID, nil
	case Resources:
		return &r.Resource.ID, nil
	case Actions:
		return &r.Action.Name, nil
	default:
		return nil, authz.Errorf(authz.Invalid, "nothing is searched for: ask for subjects, resources or actions")
	}
}

// typeIn is the type of the entities that a search for subjects or resources is for.
func (f SearchFor) typeIn(r *authz.Request) string {
	if f == Subjects {
		return r.Subject.Type
	}
	return r.Resource.Type
}

// candidates are what a search decides, in order. They are the same for all of its
// pages.
type candidates struct {
	method SearchMethod
	notes  []string
	// listed are the candidates where they are at hand, in order.
	listed []string
	// scanned is the type whose entities they are otherwise.
	scanned string
}

// after are up to so many candidates that come after one.
func (c candidates) after(snapshot Snapshot, last string, most int) (ids []string, err error) {
	if c.scanned == "" {
		i, found := slices.BinarySearch(c.listed, last)
		if found {
			i++
		}
		return c.listed[i:min(i+most, len(c.listed))], nil
	}
	err = snapshot.EachID(c.scanned, last, func(id string) bool {
		ids = append(ids, id)
		return len(ids) < most
	})
	return ids, err
}

// How many candidates are decided before a look at how many results there are:
// few at first, for a small page of a search that finds much.
const (
	firstRound = 32
	mostRound  = 4096
)

// pageEnd is when a page is returned as far as it has come: when its time is over,
// and before the caller's is, who would have nothing of it.
func (p *PDP) pageEnd(ctx context.Context, on *pin) time.Time {
	took := p.limits.Search
	if deadline, bounded := ctx.Deadline(); bounded {
		took = min(took, deadline.Sub(on.start)*3/4)
	}
	return on.start.Add(took)
}

// search decides candidates until a page is full or its time is over.
func (p *PDP) search(ctx context.Context, on *pin, what SearchFor, request *authz.Request, size int, token searchToken) (found Found, err error) {
	name, err := p.tokens.name(token, what, request)
	if err != nil {
		return Found{}, err
	}
	from, remembered := p.searches.of(name)
	if !remembered {
		if from, err = p.candidates(ctx, on, what, request, size); err != nil {
			return Found{}, err
		}
	}
	defer func() {
		if found.Next != "" && !remembered {
			p.searches.remember(name, from)
		}
	}()
	found = Found{
		PolicyRevision: on.policy.Revision, DirectoryRevision: on.snapshot.Revision(),
		Method: from.method, Notes: from.notes,
	}
	deciding := &deciding{pdp: p, on: on, what: what, request: request, size: size, end: p.pageEnd(ctx, on)}
	for round := firstRound; ; round = min(2*round, mostRound) {
		ids, err := from.after(on.snapshot, token.after, round)
		if err != nil {
			return Found{}, err
		}
		allowed, err := deciding.allowed(ctx, ids)
		if err != nil {
			return Found{}, err
		}
		for i, id := range ids[:len(allowed)] {
			token.after = id
			found.Candidates++
			if !allowed[i] {
				continue
			}
			if found.IDs = append(found.IDs, id); len(found.IDs) == token.limit {
				rest, err := from.after(on.snapshot, id, 1)
				if err == nil && len(rest) > 0 {
					found.Next, err = p.tokens.text(token, what, request)
				}
				return found, err
			}
		}
		if len(allowed) < len(ids) {
			found.Next, err = p.tokens.text(token, what, request)
			return found, err
		}
		if len(ids) < round {
			return found, nil
		}
	}
}

// candidates finds what may be allowed.
func (p *PDP) candidates(ctx context.Context, on *pin, what SearchFor, request *authz.Request, size int) (candidates, error) {
	if what == Actions {
		return p.actions(ctx, on, request, size)
	}
	ids, notes, found, err := p.narrowed(ctx, on, what, request, size)
	if err != nil {
		return candidates{}, err
	}
	if found {
		return candidates{method: ByIndex, notes: notes, listed: ids}, nil
	}
	return candidates{method: ByScan, notes: notes, scanned: what.typeIn(request)}, nil
}

// actions are the members of the policy's rule actions. It is asked once for all
// pages, and may read what the other searches may: with it a policy may go through all
// roles of the directory, for a subject whose own name no action.
func (p *PDP) actions(ctx context.Context, on *pin, request *authz.Request, size int) (candidates, error) {
	if on.policy.Actions == nil {
		return candidates{}, authz.Errorf(authz.FailedPrecondition, "the policy does not say which actions there are: give it a rule actions, such as actions := {\"read\", \"write\"} if input.resource.type == %q", request.Resource.Type)
	}
	value, defined, err := p.ask(ctx, on, on.policy.Actions, eval.Input{Request: request, Validated: true}, size, p.limits.Search, max(maxNarrowed, p.limits.Entities))
	if err != nil {
		return candidates{}, err
	}
	members, isSet := value.([]any)
	if defined && !isSet {
		return candidates{}, authz.Errorf(authz.Evaluation, "rule actions is no set: it must be a set of non-empty strings")
	}
	names := make([]string, 0, len(members))
	for _, member := range members {
		name, isText := member.(string)
		if !isText || name == "" {
			return candidates{}, authz.Errorf(authz.Evaluation, "rule actions has a member that is no name: it must be a set of non-empty strings")
		}
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return candidates{method: ByScan, notes: []string{"the members of the rule actions"}, listed: names}, nil
}

// A deciding decides the candidates of a page.
type deciding struct {
	pdp     *PDP
	on      *pin
	what    SearchFor
	request *authz.Request
	size    int // of the request without a candidate
	end     time.Time
	decided bool // whether any candidate was
}

const (
	// fewCandidates is up to how many are decided by one goroutine.
	fewCandidates = 64
	// atOnce is how many a goroutine takes at once.
	atOnce = 16
)

// allowed decides the first of some candidates, in parallel where they are many: all
// of them, or where the page's time is over fewer, but one of the page at least.
func (d *deciding) allowed(ctx context.Context, ids []string) ([]bool, error) {
	parts := make([]part, 1, min(runtime.GOMAXPROCS(0), 1+len(ids)/fewCandidates))
	allowed := make([]bool, len(ids))
	var taken atomic.Int64
	var others sync.WaitGroup
	for len(parts) < cap(parts) {
		turn, free := d.pdp.turns.Another(d.request.Tenant)
		if !free {
			break
		}
		parts = append(parts, part{})
		mine := &parts[len(parts)-1]
		others.Go(func() {
			defer turn.Release()
			*mine = d.allowedOf(ctx, &turn, ids, allowed, &taken)
		})
	}
	parts[0] = d.allowedOf(ctx, &d.on.turn, ids, allowed, &taken)
	others.Wait()
	if ctx.Err() != nil {
		return nil, undecided(ctx, nil)
	}
	first := slices.MinFunc(parts, func(a, b part) int { return cmp.Compare(a.end, b.end) })
	d.decided = true
	return allowed[:first.end], first.err
}

// A part is how far a goroutine has come: it has decided all that it took before the
// end. An error is the candidate's at the end.
type part struct {
	end int
	err error
}

// allowedOf decides candidates, some at once, until all are taken, one cannot be
// decided, or the time is over. Others have their turn between.
func (d *deciding) allowedOf(ctx context.Context, turn *admission.Turn, ids []string, allowed []bool, taken *atomic.Int64) part {
	request := *d.request // this goroutine's own
	place, err := d.what.place(&request)
	if err != nil {
		return part{0, err}
	}
	for began := time.Now(); ; {
		if time.Since(began) > piece {
			if turn.Yield(ctx, request.Tenant) != nil {
				return part{min(int(taken.Load()), len(ids)), nil} // as the context's end is told
			}
			began = time.Now()
		}
		first := int(taken.Add(atOnce)) - atOnce
		for i := first; i < min(first+atOnce, len(ids)); i++ {
			now := time.Now()
			if ctx.Err() != nil || now.After(d.end) && (i > 0 || d.decided) {
				return part{i, nil}
			}
			*place = ids[i]
			output, err := d.pdp.evaluate(ctx, d.on, now, &request, d.size+len(ids[i]), false)
			if err != nil {
				taken.Add(int64(len(ids))) // none after it is asked for
				return part{i, authz.Errorf(authz.KindOf(err), "candidate %s cannot be decided, and so the search is not complete: %w", authz.Quote(ids[i]), err)}
			}
			allowed[i] = output.Allow && len(output.Deny) == 0
		}
		if first >= len(ids) {
			return part{len(ids), nil}
		}
	}
}
