package pdp_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// sharing allows by ownership, by department and by what a request says.
const sharing = `package authz

import rego.v2

doc := data.directory.doc[input.resource.id]
subject := data.directory.user[input.subject.id]

allow if doc.attributes.owner == subject.ref
allow if {
	input.action.name == "read"
	some department in subject.parents
	doc.ancestors[department]
}
allow if { input.action.name == "share"; input.context.everyone }
deny contains "locked" if { doc.attributes.locked; input.action.name != "read" }

actions contains "read" if input.resource.type == "doc"
actions contains "write" if input.resource.type == "doc"
actions contains "share"
`

// policyOf is a policy with its actions.
func policyOf(t testing.TB, text string) pdp.Policy {
	t.Helper()
	read, err := bundle.ReadFS(fstest.MapFS{"policy.rego": {Data: []byte(text)}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := rego.Compile(read, rego.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := pdp.Policy{Revision: "p1", Compiled: compiled}
	if p.Program, err = closure.New().Prepare(t.Context(), compiled); err != nil {
		t.Fatal(err)
	}
	if compiled.Has(rego.Actions) {
		if p.Actions, err = closure.New().PrepareRule(t.Context(), compiled, compiled.ActionsRule()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// random is users and documents in departments, some with an owner, some locked.
func random(r *rand.Rand, users, docs int) []authz.Change {
	department := func() authz.EntityRef { return ref("department", fmt.Sprint(r.IntN(5))) }
	var changes []authz.Change
	put := func(e authz.Entity) { changes = append(changes, authz.Change{PutEntity: &e}) }
	for i := range 5 {
		put(authz.Entity{Ref: ref("department", fmt.Sprint(i)), Parents: slices.Repeat([]authz.EntityRef{ref("department", fmt.Sprint(i+1))}, r.IntN(2))})
	}
	for i := range users {
		put(authz.Entity{Ref: ref("user", fmt.Sprintf("u%03d", i)), Parents: []authz.EntityRef{department()}})
	}
	for i := range docs {
		e := authz.Entity{Ref: ref("doc", fmt.Sprintf("d%03d", i)), Parents: []authz.EntityRef{department()}, Attributes: fmt.Appendf(nil, `{"locked": %t}`, r.IntN(3) == 0)}
		if r.IntN(2) == 0 {
			e.Attributes = fmt.Appendf(nil, `{"locked": %t, "owner": "user:u%03d"}`, r.IntN(3) == 0, r.IntN(users))
		}
		put(e)
	}
	return changes
}

func ref(typ, id string) authz.EntityRef { return authz.EntityRef{Type: typ, ID: id} }

// all goes through the pages of a search.
func all(t testing.TB, p *pdp.PDP, s pdp.Search) []string {
	t.Helper()
	return allBut(t, p, s, func() {})
}

// allBut is all with something done between the pages.
func allBut(t testing.TB, p *pdp.PDP, s pdp.Search, between func()) (ids []string) {
	t.Helper()
	for pages := 0; ; pages++ {
		found, err := p.Search(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if s.Limit > 0 && len(found.IDs) > s.Limit {
			t.Fatalf("%d results on a page of %d", len(found.IDs), s.Limit)
		}
		ids = append(ids, found.IDs...)
		if found.Next == "" {
			return ids
		}
		if s.Token = found.Next; pages > 2000 {
			t.Fatal("the search does not come to an end")
		}
		between()
	}
}

// A search finds what checking each candidate does, however long its pages are.
func TestSearchEqualsCheck(t *testing.T) {
	seeds, requests := uint64(20), 10
	if testing.Short() {
		seeds, requests = 2, 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			policy := policyOf(t, sharing)
			p, w := newPDPOf(policy.Program, pdp.Limits{})
			w.policy = policy
			users, docs := 1+r.IntN(200), 1+r.IntN(200)
			w.directory.Write(random(r, users, docs)...)
			candidates := map[pdp.SearchFor][]string{pdp.Actions: {"read", "share", "write"}}
			for i := range users {
				candidates[pdp.Subjects] = append(candidates[pdp.Subjects], fmt.Sprintf("u%03d", i))
			}
			for i := range docs {
				candidates[pdp.Resources] = append(candidates[pdp.Resources], fmt.Sprintf("d%03d", i))
			}
			for range requests {
				request := &authz.Request{
					Tenant:   "t",
					Subject:  authz.Subject{Type: "user", ID: fmt.Sprintf("u%03d", r.IntN(users+1))},
					Action:   authz.Action{Name: []string{"read", "write", "share"}[r.IntN(3)]},
					Resource: authz.Resource{Type: "doc", ID: fmt.Sprintf("d%03d", r.IntN(docs+1))},
					Context:  authz.Object{"everyone": r.IntN(2) == 0},
				}
				for what, ids := range candidates {
					var want []string
					for _, id := range ids {
						asked := *request
						switch what {
						case pdp.Subjects:
							asked.Subject.ID = id
						case pdp.Resources:
							asked.Resource.ID = id
						case pdp.Actions:
							asked.Action.Name = id
						}
						decision, err := p.Decide(t.Context(), &asked, pdp.DecideOptions{})
						if err != nil || decision.Err != nil {
							t.Fatal(err, decision.Err)
						}
						if decision.Allowed {
							want = append(want, id)
						}
					}
					for _, limit := range []int{0, 1 + r.IntN(5), pdp.MaxSearchLimit} {
						if got := all(t, p, pdp.Search{For: what, Request: request, Limit: limit}); !slices.Equal(got, want) {
							t.Fatalf("searching for %d by pages of %d: found %v, want %v", what, limit, got, want)
						}
					}
				}
			}
			if w.closed == 0 {
				t.Error("no snapshot was closed")
			}
		})
	}
}

// searchable is a PDP with a hundred documents, all of which the owner may read.
func searchable(t *testing.T, limits pdp.Limits) (*pdp.PDP, *world, pdp.Search) {
	t.Helper()
	policy := policyOf(t, sharing)
	p, w := newPDPOf(policy.Program, limits)
	w.policy = policy
	var changes []authz.Change
	for i := range 100 {
		changes = append(changes, authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", fmt.Sprintf("d%02d", i)), Attributes: []byte(`{"owner": "user:ann"}`)}})
	}
	w.directory.Write(append(changes, authz.Change{PutEntity: &authz.Entity{Ref: ref("user", "ann")}})...)
	return p, w, pdp.Search{For: pdp.Resources, Request: newRequest(), Limit: 10}
}

func TestPagesOfASearchRestOnTheSame(t *testing.T) {
	p, w, search := searchable(t, pdp.Limits{})
	first, err := p.Search(t.Context(), search)
	if err != nil || len(first.IDs) != 10 || first.IDs[9] != "d09" {
		t.Fatal(first, err)
	}
	w.directory.Write(authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", "d11"), Attributes: []byte(`{"owner": "user:eve"}`)}})
	w.now = w.now.Add(time.Hour)
	var at atomic.Pointer[time.Time]
	program := w.policy.Program
	w.policy.Program = watching{program, &at}
	search.Token, search.Limit = first.Next, 0 // absent, it stays as it was
	second, err := p.Search(t.Context(), search)
	if err != nil || len(second.IDs) != 10 || !slices.Contains(second.IDs, "d11") {
		t.Errorf("the second page is of another revision: %v, %v", second.IDs, err)
	}
	if second.DirectoryRevision != first.DirectoryRevision {
		t.Errorf("revision %d, then %d", first.DirectoryRevision, second.DirectoryRevision)
	}
	if at := at.Load(); !at.Equal(noon) {
		t.Errorf("the second page is decided at %v, the first was at %v", at, noon)
	}
	if anew := all(t, p, pdp.Search{For: pdp.Resources, Request: newRequest()}); slices.Contains(anew, "d11") {
		t.Error("a search that begins anew is of the old revision")
	}
}

// The candidates of a search are found for its first page, and again where they were
// forgotten.
func TestPagesHaveTheCandidatesOfTheFirst(t *testing.T) {
	for _, test := range []struct {
		name    string
		forget  bool
		another bool
		asked   int64
	}{
		{"remembered", false, false, 1},
		{"forgotten", true, false, 3},
		{"of another time", false, true, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, w, search := searchable(t, pdp.Limits{})
			search.For, search.Limit, search.Request.Resource.ID = pdp.Actions, 1, "d01"
			var asked atomic.Int64
			w.policy.Actions = counting{w.policy.Actions, &asked}
			ids := allBut(t, p, search, func() {
				if test.forget {
					p.ForgetSearches()
				}
			})
			if test.another {
				w.now = w.now.Add(time.Nanosecond)
				allBut(t, p, search, func() {})
			}
			if want := []string{"read", "share", "write"}; !slices.Equal(ids, want) {
				t.Errorf("found %v, want %v", ids, want)
			}
			if got := asked.Load(); got != test.asked {
				t.Errorf("the candidates were found %d times, want %d", got, test.asked)
			}
		})
	}
}

// counting counts how often a rule is asked.
type counting struct {
	eval.Rule
	asked *atomic.Int64
}

func (c counting) Value(ctx context.Context, in eval.Input) (any, bool, error) {
	c.asked.Add(1)
	return c.Rule.Value(ctx, in)
}

// watching notes the time of decisions.
type watching struct {
	eval.Program
	at *atomic.Pointer[time.Time]
}

func (w watching) Eval(ctx context.Context, in eval.Input) (eval.Output, error) {
	w.at.Store(&in.Now)
	return w.Program.Eval(ctx, in)
}

func TestTokensOfOtherSearchesAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(p **pdp.PDP, w *world, s *pdp.Search)
		kind   authz.Kind
		text   string
	}{
		{"another subject", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Subject.ID = "eve" }, authz.Invalid, "no token of this search"},
		{"another action", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Action.Name = "write" }, authz.Invalid, "no token of this search"},
		{"another type", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Resource.Type = "user" }, authz.Invalid, "no token of this search"},
		{"another context", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Context = authz.Object{"mfa": true} }, authz.Invalid, "no token of this search"},
		{"another property", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Resource.Properties = authz.Object{"a": 1} }, authz.Invalid, "no token of this search"},
		{"another search", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.For = pdp.Subjects }, authz.Invalid, "no token of this search"},
		{"another limit", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Limit = 11 }, authz.Invalid, "page_size"},
		{"another server", func(p **pdp.PDP, _ *world, s *pdp.Search) { *p, _ = newPDP(nil, pdp.Limits{}) }, authz.Invalid, "no token of this search"},
		{"another policy", func(_ **pdp.PDP, w *world, _ *pdp.Search) { w.policy.Revision = "p2" }, authz.FailedPrecondition, "another policy"},
		{"another policy of the same revision", func(_ **pdp.PDP, w *world, _ *pdp.Search) { w.policy.Digest = "else" }, authz.FailedPrecondition, "another policy"},
		{"another tenant", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Tenant = "else" }, authz.Invalid, "no token of this search"},
		{"more than a day later", func(_ **pdp.PDP, w *world, _ *pdp.Search) { w.now = w.now.Add(24*time.Hour + 1) }, authz.FailedPrecondition, "begin it again"},
		{"a day later", func(_ **pdp.PDP, w *world, _ *pdp.Search) { w.now = w.now.Add(24 * time.Hour) }, 0, ""},
		{"a token cut short", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Token = s.Token[:len(s.Token)-1] }, authz.Invalid, "no token of this search"},
		{"a token made longer", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Token += "AA" }, authz.Invalid, "no token of this search"},
		{"a token that is none", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Token = "d09" }, authz.Invalid, "no token of this search"},
		{"the id that is ignored", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Request.Resource.ID = "else" }, 0, ""},
		{"an empty context, and empty properties", func(_ **pdp.PDP, _ *world, s *pdp.Search) {
			s.Request.Context, s.Request.Subject.Properties = authz.Object{}, authz.Object{}
			s.Request.Action.Properties, s.Request.Resource.Properties = authz.Object{}, authz.Object{}
		}, 0, ""},
		{"the limit left out", func(_ **pdp.PDP, _ *world, s *pdp.Search) { s.Limit = 0 }, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, w, search := searchable(t, pdp.Limits{})
			first, err := p.Search(t.Context(), search)
			if err != nil {
				t.Fatal(err)
			}
			search.Token = first.Next
			test.change(&p, w, &search)
			_, err = p.Search(t.Context(), search)
			if test.text == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if authz.KindOf(err) != test.kind || !strings.Contains(fmt.Sprint(err), test.text) {
				t.Errorf("error %v of kind %v, want kind %v and %q", err, authz.KindOf(err), test.kind, test.text)
			}
		})
	}
}

func TestSearchesThatFail(t *testing.T) {
	fault := authz.Errorf(authz.Evaluation, "divide by zero")
	failing := program(func(_ context.Context, in eval.Input) (eval.Output, error) {
		if in.Request.Resource.ID == "d42" {
			return eval.Output{Allow: true}, fault
		}
		return eval.Output{Allow: true}, nil
	})
	for _, test := range []struct {
		name   string
		change func(w *world, s *pdp.Search)
		kind   authz.Kind
		text   string
	}{
		{"a candidate that errs is named", func(w *world, s *pdp.Search) { w.policy.Program, s.Limit = failing, 1000 }, authz.Evaluation, `candidate "d42" cannot be decided`},
		{"no type", func(_ *world, s *pdp.Search) { s.Request.Resource.Type = "" }, authz.Invalid, "resource.type"},
		{"no subject", func(_ *world, s *pdp.Search) { s.Request.Subject.ID = "" }, authz.Invalid, "subject.id"},
		{"no action", func(_ *world, s *pdp.Search) { s.Request.Action.Name = "" }, authz.Invalid, "action.name"},
		{"a value that is no JSON", func(_ *world, s *pdp.Search) { s.Request.Context = authz.Object{"x": make(chan int)} }, authz.Invalid, "context"},
		{"no request", func(_ *world, s *pdp.Search) { s.Request = nil }, authz.Invalid, "no request"},
		{"nothing searched for", func(_ *world, s *pdp.Search) { s.For = 0 }, authz.Invalid, "nothing is searched for"},
		{"too long a page", func(_ *world, s *pdp.Search) { s.Limit = pdp.MaxSearchLimit + 1 }, authz.Invalid, "page_size"},
		{"a page below nothing", func(_ *world, s *pdp.Search) { s.Limit = -1 }, authz.Invalid, "page_size"},
		{"an unknown tenant", func(_ *world, s *pdp.Search) { s.Request.Tenant = "else" }, authz.NotFound, "unknown tenant"},
		{"a revision that is not there", func(_ *world, s *pdp.Search) { s.Consistency.Exact = 99 }, authz.FailedPrecondition, "no revision 99"},
		{"actions that are not named", func(w *world, s *pdp.Search) { s.For, w.policy.Actions = pdp.Actions, nil }, authz.FailedPrecondition, "give it a rule actions"},
		{"actions that are no names", func(w *world, s *pdp.Search) {
			s.For, w.policy = pdp.Actions, policyOf(t, "package authz\n\nallow := true\n\nactions := {x | some x in input.context.names}\n")
			s.Request.Context = authz.Object{"names": []any{"read", 1}}
		}, authz.Evaluation, "no name"},
		{"actions that are no set", func(w *world, s *pdp.Search) {
			s.For, w.policy = pdp.Actions, policyOf(t, "package authz\n\nallow := true\n\nactions := input.context.names\n")
			s.Request.Context = authz.Object{"names": map[string]any{"read": true}}
		}, authz.Evaluation, "it must be a set"},
		{"actions that err", func(w *world, s *pdp.Search) {
			s.For, w.policy = pdp.Actions, policyOf(t, "package authz\n\nallow := true\n\nactions := {sprintf(\"%d\", [x]) | x := 1 / input.context.zero}\n")
			s.Request.Context = authz.Object{"zero": 0}
		}, authz.Evaluation, "divide by zero"},
		{"too large a request", func(_ *world, s *pdp.Search) { s.Request.Context = authz.Object{"x": strings.Repeat("x", 2<<20)} }, authz.LimitExceeded, "input limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, w, search := searchable(t, pdp.Limits{})
			test.change(w, &search)
			found, err := p.Search(t.Context(), search)
			if authz.KindOf(err) != test.kind || !strings.Contains(fmt.Sprint(err), test.text) {
				t.Errorf("%+v, error %v of kind %v, want kind %v and %q", found, err, authz.KindOf(err), test.kind, test.text)
			}
			if err != nil && (found.IDs != nil || found.Next != "") {
				t.Errorf("a search that failed found %+v", found)
			}
		})
	}
}

func TestSearchesThatFindNothing(t *testing.T) {
	for name, change := range map[string]func(*world, *pdp.Search){
		"an unknown type":             func(_ *world, s *pdp.Search) { s.Request.Resource.Type = "else" },
		"a type no entity could have": func(_ *world, s *pdp.Search) { s.Request.Resource.Type = "No Type!" },
		"an unknown subject":          func(_ *world, s *pdp.Search) { s.Request.Subject.ID = "else" },
		"subjects of an unknown type": func(_ *world, s *pdp.Search) { s.For, s.Request.Subject.Type = pdp.Subjects, "else" },
		"actions, where none is allowed": func(_ *world, s *pdp.Search) {
			s.For, s.Request.Subject.ID = pdp.Actions, "else"
		},
		"actions, where the rule is undefined": func(w *world, s *pdp.Search) {
			s.For = pdp.Actions
			w.policy = policyOf(t, "package authz\n\nallow := true\n\nactions := {\"read\"} if input.context.never\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, w, search := searchable(t, pdp.Limits{})
			change(w, &search)
			found, err := p.Search(t.Context(), search)
			if err != nil || len(found.IDs) != 0 || found.Next != "" {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
}

// The candidates of a search for actions may stand in more entities than a decision
// reads.
func TestActionsOfManyRoles(t *testing.T) {
	p, w := newPDPOf(nil, pdp.Limits{Entities: 10})
	w.policy = policyOf(t, "package authz\n\nimport rego.v2\n\nallow := true\n\nactions contains role.attributes.action if some role in data.directory.role\n")
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("act%02d", i))
		w.directory.Write(authz.Change{PutEntity: &authz.Entity{Ref: ref("role", fmt.Sprint("r", i)), Attributes: fmt.Appendf(nil, `{"action": %q}`, want[i])}})
	}
	if got := all(t, p, pdp.Search{For: pdp.Actions, Request: newRequest(), Limit: 7}); !slices.Equal(got, want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// A page whose time is over says where to go on, and the pages together find all.
func TestASearchGoesOnAfterItsTime(t *testing.T) {
	p, _, search := searchable(t, pdp.Limits{Search: 1})
	search.Limit = 0
	first, err := p.Search(t.Context(), search)
	if err != nil || first.Next == "" || first.Candidates >= 100 {
		t.Fatalf("%+v, %v", first, err)
	}
	if ids := all(t, p, search); len(ids) != 100 {
		t.Errorf("found %d of 100", len(ids))
	}
}

// However many candidates are decided at once, a page ends in time, and with it the
// candidates that come to be slow.
func TestAPageEndsAmongItsCandidates(t *testing.T) {
	slow := func(allow bool) program {
		return func(_ context.Context, in eval.Input) (eval.Output, error) {
			if in.Request.Resource.ID >= "d1000" {
				time.Sleep(3 * time.Millisecond)
			}
			return eval.Output{Allow: allow}, nil
		}
	}
	const docs = 1_400
	for _, test := range []struct {
		name   string
		limits pdp.Limits
		within time.Duration // of the caller
		allow  bool
	}{
		{"by the time of pages", pdp.Limits{Search: 100 * time.Millisecond}, time.Minute, false},
		{"by the time of the caller", pdp.Limits{}, 400 * time.Millisecond, false},
		{"with results", pdp.Limits{Search: 100 * time.Millisecond}, time.Minute, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, w := newPDPOf(slow(test.allow), test.limits)
			for i := range docs {
				w.directory.Write(authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", fmt.Sprintf("d%04d", i))}})
			}
			search := pdp.Search{For: pdp.Resources, Request: newRequest(), Limit: pdp.MaxSearchLimit}
			candidates, pages := 0, 0
			var ids []string
			for {
				ctx, cancel := context.WithTimeout(t.Context(), test.within)
				found, err := p.Search(ctx, search)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, found.IDs...)
				candidates += found.Candidates
				if pages++; found.Next == "" {
					break
				}
				search.Token = found.Next
			}
			if candidates != docs || pages < 2 || test.allow && (len(ids) != docs || !slices.IsSorted(ids)) {
				t.Errorf("%d candidates, %d results on %d pages", candidates, len(ids), pages)
			}
		})
	}
}

// A candidate that cannot be decided fails the search, whoever decides it and however
// many others are.
func TestTheFirstCandidateThatErrsIsNamed(t *testing.T) {
	p, w := newPDPOf(program(func(_ context.Context, in eval.Input) (eval.Output, error) {
		if in.Request.Resource.ID >= "d0400" {
			return eval.Output{}, authz.Errorf(authz.Evaluation, "divide by zero")
		}
		return eval.Output{}, nil
	}), pdp.Limits{Search: time.Minute})
	for i := range 1_000 {
		w.directory.Write(authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", fmt.Sprintf("d%04d", i))}})
	}
	_, err := p.Search(t.Context(), pdp.Search{For: pdp.Resources, Request: newRequest()})
	if authz.KindOf(err) != authz.Evaluation || !strings.Contains(fmt.Sprint(err), `candidate "d0400" cannot be decided`) {
		t.Error(err)
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	p, w, search := searchable(t, pdp.Limits{})
	ctx, cancel := context.WithCancel(t.Context())
	w.policy.Program = program(func(context.Context, eval.Input) (eval.Output, error) {
		cancel()
		return eval.Output{Allow: true}, nil
	})
	if found, err := p.Search(ctx, search); !errors.Is(err, context.Canceled) || found.IDs != nil {
		t.Errorf("%+v, %v", found, err)
	}
	if w.closed != 1 {
		t.Errorf("the snapshot was closed %d times", w.closed)
	}
}

func FuzzSearchToken(f *testing.F) {
	policy := pdp.Policy{Program: yields(eval.Output{Allow: true}), Revision: "p1"}
	p, w := newPDPOf(policy.Program, pdp.Limits{})
	w.directory.Write(authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", "a")}}, authz.Change{PutEntity: &authz.Entity{Ref: ref("doc", "b")}})
	search := pdp.Search{For: pdp.Resources, Request: newRequest(), Limit: 1}
	first, err := p.Search(f.Context(), search)
	if err != nil || first.Next == "" {
		f.Fatal(first, err)
	}
	f.Add(first.Next)
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		s := search
		s.Token = token
		_, err := p.Search(t.Context(), s)
		if token != "" && token != first.Next && authz.KindOf(err) != authz.Invalid {
			t.Errorf("%q is taken for a token: %v", token, err)
		}
	})
}
