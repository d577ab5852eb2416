package pdp_test

import (
	stdcmp "cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
)

// program is a policy as a func.
type program func(ctx context.Context, in eval.Input) (eval.Output, error)

func (p program) Eval(ctx context.Context, in eval.Input) (eval.Output, error) { return p(ctx, in) }

func yields(out eval.Output) program {
	return func(context.Context, eval.Input) (eval.Output, error) { return out, nil }
}

func fails(err error) program {
	return func(context.Context, eval.Input) (eval.Output, error) {
		return eval.Output{Allow: true, Reasons: []string{"r"}}, err
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is what a PDP under test decides with.
type world struct {
	directory *piptest.Directory
	policy    pdp.Policy
	now       time.Time
	closed    int
	logged    *observer.ObservedLogs
	told      told
}

// closing counts the snapshots that are closed.
type closing struct {
	*piptest.Snapshot
	closed *int
}

func (c closing) Close() { *c.closed++ }

func newPDP(p program, limits pdp.Limits) (*pdp.PDP, *world) { return newPDPOf(p, limits) }

func newPDPOf(p eval.Program, limits pdp.Limits) (*pdp.PDP, *world) {
	limits.Evaluation = stdcmp.Or(limits.Evaluation, time.Minute) // whatever the machine
	core, logged := observer.New(zapcore.DebugLevel)
	w := &world{directory: piptest.New("t"), policy: pdp.Policy{Program: p, Revision: "p1"}, now: noon, logged: logged}
	cache := pip.NewCache(pip.Options{})
	w.directory.OnCommit = cache.Invalidate
	return pdp.New(pdp.Options{
		Policy: func(tenant string) (pdp.Policy, error) {
			if tenant != "t" {
				return pdp.Policy{}, authz.Errorf(authz.NotFound, "unknown tenant %s", authz.Quote(tenant))
			}
			return w.policy, nil
		},
		Snapshot: func(_ context.Context, _ string, c authz.Consistency) (pdp.Snapshot, error) {
			latest := w.directory.Latest()
			switch {
			case c.Exact > latest.Revision():
				return nil, authz.Errorf(authz.FailedPrecondition, "there is no revision %d yet", c.Exact)
			case c.Exact != 0:
				return closing{w.directory.At(c.Exact), &w.closed}, nil
			}
			return closing{latest, &w.closed}, nil
		},
		Cache:  cache,
		Limits: limits,
		Clock:  func() time.Time { return w.now },
		NewID:  func() string { return "d1" },
		Logger: zap.New(core),

		Observer: &w.told,
	}), w
}

func newRequest() *authz.Request {
	return &authz.Request{
		Tenant:   "t",
		Subject:  authz.Subject{Type: "user", ID: "ann"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "doc", ID: "d"},
	}
}

func TestConclusions(t *testing.T) {
	mfa := authz.Object{"mfa": true}
	fault := authz.Errorf(authz.Evaluation, "divide by zero")
	for _, test := range []struct {
		name    string
		program program
		want    authz.Decision
	}{
		{"allow", yields(eval.Output{Allow: true}), authz.Decision{Allowed: true}},
		{"no allow", yields(eval.Output{}), authz.Decision{}},
		{"deny overrides allow", yields(eval.Output{Allow: true, Deny: []string{"no"}}), authz.Decision{Reasons: []string{"no"}}},
		{
			"reasons and deny come sorted, each once",
			yields(eval.Output{Deny: []string{"b", "d"}, Reasons: []string{"a", "b", "c"}}),
			authz.Decision{Reasons: []string{"a", "b", "c", "d"}},
		},
		{"reasons of an allow", yields(eval.Output{Allow: true, Reasons: []string{"r"}}), authz.Decision{Allowed: true, Reasons: []string{"r"}}},
		{"obligations of an allow", yields(eval.Output{Allow: true, Obligations: mfa}), authz.Decision{Allowed: true, Obligations: mfa}},
		{"obligations of a deny", yields(eval.Output{Deny: []string{"step up"}, Obligations: mfa}), authz.Decision{Reasons: []string{"step up"}, Obligations: mfa}},
		{"an error denies, whatever came with it", fails(fault), authz.Decision{Err: fault}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, w := newPDP(test.program, pdp.Limits{})
			test.want.ID, test.want.PolicyRevision, test.want.DirectoryRevision = "d1", "p1", 1
			got, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) })); diff != "" {
				t.Error(diff)
			}
			if w.closed != 1 {
				t.Errorf("the snapshot was closed %d times", w.closed)
			}
		})
	}
}

func TestWhatTheProgramGets(t *testing.T) {
	request := newRequest()
	var in eval.Input
	p, w := newPDP(func(_ context.Context, got eval.Input) (eval.Output, error) {
		in = got
		return eval.Output{Explanation: &authz.Explanation{}}, nil
	}, pdp.Limits{})
	w.directory.Write(piptest.Lines(t, `{"entity": {"type": "user", "id": "ann"}}`)...)
	for _, test := range []struct {
		consistency authz.Consistency
		revision    uint64
		known       bool
	}{
		{authz.Consistency{}, 2, true},
		{authz.Consistency{Exact: 1}, 1, false},
		{authz.Consistency{AtLeast: 2}, 2, true},
	} {
		decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{Consistency: test.consistency, Explain: true})
		if err != nil {
			t.Fatal(err)
		}
		if in.Request != request || !in.Now.Equal(noon) || !in.Explain || in.Steps != pdp.DefaultSteps {
			t.Errorf("the program got %+v", in)
		}
		if decision.DirectoryRevision != test.revision || decision.Explanation == nil {
			t.Errorf("%+v: %+v", test.consistency, decision)
		}
		e, err := in.Directory.Entity(t.Context(), "user", "ann")
		if err != nil || (e != nil) != test.known {
			t.Errorf("%+v: the user is known: %v, %v", test.consistency, e != nil, err)
		}
	}
}

func TestNoDecision(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancelLate()
	polls := func(ctx context.Context, _ eval.Input) (eval.Output, error) { return eval.Output{}, ctx.Err() }
	other := newRequest()
	other.Tenant = "other"
	for _, test := range []struct {
		name    string
		ctx     context.Context
		request *authz.Request
		options pdp.DecideOptions
		program program
		kind    authz.Kind
		text    string
	}{
		{"unknown tenant", t.Context(), other, pdp.DecideOptions{}, nil, authz.NotFound, `tenant "other"`},
		{"revision to come", t.Context(), newRequest(), pdp.DecideOptions{Consistency: authz.Consistency{Exact: 9}}, nil, authz.FailedPrecondition, "revision 9"},
		{"two consistencies", t.Context(), newRequest(), pdp.DecideOptions{Consistency: authz.Consistency{Exact: 1, AtLeast: 1}}, nil, authz.Invalid, "exclude each other"},
		{"a caller that gave up", ended, newRequest(), pdp.DecideOptions{}, polls, authz.Canceled, "no decision was made"},
		{"a caller out of time", late, newRequest(), pdp.DecideOptions{}, polls, authz.DeadlineExceeded, "no decision was made"},
		{
			"a value that the evaluator refuses", t.Context(), newRequest(), pdp.DecideOptions{},
			fails(authz.InvalidField("context.n", "no number")), authz.Invalid, "context.n: no number",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := newPDP(test.program, pdp.Limits{})
			decision, err := p.Decide(test.ctx, test.request, test.options)
			if authz.KindOf(err) != test.kind || err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error is %v; expected %s with %q", err, test.kind, test.text)
			}
			if diff := cmp.Diff(authz.Decision{}, decision); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEvaluationTime(t *testing.T) {
	p, _ := newPDP(func(ctx context.Context, _ eval.Input) (eval.Output, error) {
		for ctx.Err() == nil {
		}
		return eval.Output{}, ctx.Err()
	}, pdp.Limits{Evaluation: time.Millisecond})
	checkLimit(t, p, newRequest(), "evaluation time 1ms")
}

func TestEvaluationTimeOfWhoWaits(t *testing.T) {
	p, _ := newPDP(func(ctx context.Context, _ eval.Input) (eval.Output, error) {
		<-ctx.Done()
		return eval.Output{}, context.Cause(ctx)
	}, pdp.Limits{Evaluation: time.Millisecond})
	checkLimit(t, p, newRequest(), "evaluation time 1ms")
}

func TestEntitiesLimit(t *testing.T) {
	reads := func(n int) program {
		return func(ctx context.Context, in eval.Input) (eval.Output, error) {
			for i := range n {
				if _, err := in.Directory.Entity(ctx, "user", strings.Repeat("x", i+1)); err != nil {
					return eval.Output{}, err
				}
			}
			return eval.Output{Allow: true}, nil
		}
	}
	p, _ := newPDP(reads(3), pdp.Limits{Entities: 3})
	if decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{}); err != nil || !decision.Allowed {
		t.Errorf("at the limit: %+v, %v", decision, err)
	}
	p, _ = newPDP(reads(4), pdp.Limits{Entities: 3})
	checkLimit(t, p, newRequest(), "more than 3 entities")
}

// A reader serves one decision after another, and each begins with nothing read.
func TestDecisionsCountTheirOwnEntities(t *testing.T) {
	const limit = 20
	p, _ := newPDP(func(ctx context.Context, in eval.Input) (eval.Output, error) {
		for i := range limit {
			id := in.Request.Subject.ID + strings.Repeat("x", i)
			if _, err := in.Directory.Entity(ctx, "user", id); err != nil {
				return eval.Output{}, err
			}
		}
		return eval.Output{Allow: true}, nil
	}, pdp.Limits{Entities: limit})
	for i := range 10 {
		request := newRequest()
		request.Subject.ID = fmt.Sprint("u", i)
		if decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{}); err != nil || !decision.Allowed {
			t.Errorf("decision %d: %+v, %v", i, decision, err)
		}
	}
}

func TestInputLimit(t *testing.T) {
	request := newRequest()
	request.Context = authz.Object{"text": strings.Repeat("x", 1000)}
	p, _ := newPDP(yields(eval.Output{Allow: true}), pdp.Limits{InputBytes: 1000})
	checkLimit(t, p, request, "input limit of 1000 bytes")
	p, _ = newPDP(yields(eval.Output{Allow: true}), pdp.Limits{InputBytes: 1400})
	if decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{}); err != nil || !decision.Allowed {
		t.Errorf("below the limit: %+v, %v", decision, err)
	}
}

// checkLimit checks that a request is denied by a limit that the error names.
func checkLimit(t *testing.T, p *pdp.PDP, request *authz.Request, text string) {
	t.Helper()
	decision, err := p.Decide(t.Context(), request, pdp.DecideOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if decision.Allowed || authz.KindOf(decision.Err) != authz.LimitExceeded || !strings.Contains(decision.Err.Error(), text) {
		t.Errorf("decision %+v; expected a deny by a limit, with %q", decision, text)
	}
}

func TestPanicDenies(t *testing.T) {
	p, w := newPDP(func(context.Context, eval.Input) (eval.Output, error) { panic("boom") }, pdp.Limits{})
	decision, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{})
	if err != nil || decision.Allowed || authz.KindOf(decision.Err) != authz.Internal {
		t.Errorf("decision %+v, %v", decision, err)
	}
	if w.closed != 1 {
		t.Errorf("the snapshot was closed %d times", w.closed)
	}
	if errors := w.logged.FilterLevelExact(zapcore.ErrorLevel).All(); len(errors) != 1 {
		t.Errorf("logged %+v, want one line", errors)
	} else if fields := errors[0].ContextMap(); fields["id"] != decision.ID || !strings.Contains(fields["stack"].(string), "TestPanicDenies") {
		t.Errorf("logged %v, want the decision and where it panicked", fields)
	}
}

// Whoever asked is gone; the fault is not.
func TestPanicAfterTheContextEndedIsLogged(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, w := newPDP(func(context.Context, eval.Input) (eval.Output, error) { cancel(); panic("boom") }, pdp.Limits{})
	decision, err := p.Decide(ctx, newRequest(), pdp.DecideOptions{})
	if err != nil || decision.Allowed || authz.KindOf(decision.Err) != authz.Internal {
		t.Errorf("decision %+v, %v", decision, err)
	}
	if n := w.logged.FilterLevelExact(zapcore.ErrorLevel).Len(); n != 1 {
		t.Errorf("%d errors were logged", n)
	}
}

func TestLog(t *testing.T) {
	for _, test := range []struct {
		program program
		level   zapcore.Level
		kind    any
	}{
		{yields(eval.Output{Allow: true}), zapcore.DebugLevel, nil},
		{fails(authz.Errorf(authz.Evaluation, "conflict")), zapcore.DebugLevel, "evaluation"},
		{fails(errors.New("the disk is gone")), zapcore.ErrorLevel, "internal"},
	} {
		p, w := newPDP(test.program, pdp.Limits{})
		if _, err := p.Decide(t.Context(), newRequest(), pdp.DecideOptions{}); err != nil {
			t.Fatal(err)
		}
		lines := w.logged.FilterMessage("decision").All()
		if len(lines) != 1 || lines[0].Level != test.level {
			t.Fatalf("logged %+v", lines)
		}
		fields := lines[0].ContextMap()
		if fields["id"] != "d1" || fields["subject"] != "user:ann" || fields["resource"] != "doc:d" || fields["kind"] != test.kind {
			t.Errorf("logged %v", fields)
		}
	}
}

func TestBatch(t *testing.T) {
	write := newRequest()
	write.Action.Name = "write"
	nameless := newRequest()
	nameless.Subject.ID = ""
	other := newRequest()
	other.Tenant = "other"
	decideReads := func(_ context.Context, in eval.Input) (eval.Output, error) {
		if in.Request.Action.Name == "panic" {
			panic("boom")
		}
		return eval.Output{Allow: in.Request.Action.Name == "read"}, nil
	}
	p, w := newPDP(decideReads, pdp.Limits{})
	panics := newRequest()
	panics.Action.Name = "panic"
	batch := pdp.Batch{Tenant: "t", Requests: []*authz.Request{newRequest(), write, nameless, other, panics, nil, newRequest()}}
	decisions, err := p.DecideBatch(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range decisions {
		switch {
		case d.ID == "" || d.DirectoryRevision != 1 || d.PolicyRevision != "p1":
			t.Errorf("decision %+v", d)
		case d.Err != nil:
			got = append(got, authz.KindOf(d.Err).String())
		case d.Allowed:
			got = append(got, "allow")
		default:
			got = append(got, "deny")
		}
	}
	if diff := cmp.Diff([]string{"allow", "deny", "invalid", "invalid", "internal", "invalid", "allow"}, got); diff != "" {
		t.Error(diff)
	}
	if w.closed != 1 {
		t.Errorf("%d snapshots were closed; expected one for the batch", w.closed)
	}
	if n := w.logged.FilterMessage("decision").Len(); n != len(decisions) {
		t.Errorf("%d decisions are in %d lines of the log", len(decisions), n)
	}

	batch.Stop = func(d authz.Decision) bool { return !d.Allowed }
	if decisions, err = p.DecideBatch(t.Context(), batch); err != nil || len(decisions) != 2 {
		t.Errorf("stopping on the first deny: %d decisions, %v", len(decisions), err)
	}
	batch.Tenant = "other"
	if _, err = p.DecideBatch(t.Context(), batch); authz.KindOf(err) != authz.NotFound {
		t.Errorf("unknown tenant: %v", err)
	}
}

func TestBatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, w := newPDP(func(context.Context, eval.Input) (eval.Output, error) {
		cancel()
		return eval.Output{Allow: true}, nil
	}, pdp.Limits{})
	_, err := p.DecideBatch(ctx, pdp.Batch{Tenant: "t", Requests: []*authz.Request{newRequest(), newRequest()}})
	if authz.KindOf(err) != authz.Canceled || w.closed != 1 {
		t.Errorf("error %v, %d snapshots closed", err, w.closed)
	}
}

func TestSizeOfABatch(t *testing.T) {
	p, _ := newPDP(func(context.Context, eval.Input) (eval.Output, error) { return eval.Output{Allow: true}, nil }, pdp.Limits{})
	batch := pdp.Batch{Tenant: "t", Requests: slices.Repeat([]*authz.Request{newRequest()}, pdp.MaxBatch)}
	if decisions, err := p.DecideBatch(t.Context(), batch); err != nil || len(decisions) != pdp.MaxBatch {
		t.Errorf("at the limit: %d decisions, %v", len(decisions), err)
	}
	batch.Requests = append(batch.Requests, newRequest())
	if decisions, err := p.DecideBatch(t.Context(), batch); authz.KindOf(err) != authz.Invalid || decisions != nil {
		t.Errorf("beyond the limit: %d decisions, %v", len(decisions), err)
	}
}

func TestInvalidRequests(t *testing.T) {
	deep := func(levels int) authz.Object {
		object := authz.Object{}
		for range levels - 1 {
			object = authz.Object{"x": object}
		}
		return object
	}
	for _, test := range []struct {
		name   string
		change func(*authz.Request)
		text   string // empty for a valid request
	}{
		{"tenant", func(r *authz.Request) { r.Tenant = "" }, "tenant: is missing"},
		{"subject type", func(r *authz.Request) { r.Subject.Type = "" }, "subject.type: is missing"},
		{"subject id", func(r *authz.Request) { r.Subject.ID = "" }, "subject.id: is missing"},
		{"action name", func(r *authz.Request) { r.Action.Name = "" }, "action.name: is missing"},
		{"resource type", func(r *authz.Request) { r.Resource.Type = "" }, "resource.type: is missing"},
		{"resource id", func(r *authz.Request) { r.Resource.ID = "" }, "resource.id: is missing"},
		{"two at once", func(r *authz.Request) { r.Subject.ID, r.Resource.ID = "", "" }, "subject.id: is missing: give it as a non-empty string; resource.id: is missing"},
		{"an id that is no UTF-8", func(r *authz.Request) { r.Subject.ID = "\xff" }, `subject.id: "\xff" is not valid UTF-8`},
		{"a property that is no UTF-8", func(r *authz.Request) { r.Action.Properties = authz.Object{"a": []any{"\xff"}} }, `action.properties.a.0: "\xff" is not valid UTF-8`},
		{"a name that is no UTF-8", func(r *authz.Request) { r.Resource.Properties = authz.Object{"\xff": 1} }, `resource.properties: a member's name: "\xff"`},
		{"a value that is not JSON's", func(r *authz.Request) { r.Context = authz.Object{"t": time.Time{}} }, "context.t: a value of Go type time.Time"},
		{"a channel", func(r *authz.Request) { r.Subject.Properties = authz.Object{"c": []any{make(chan int)}} }, "subject.properties.c.0: a value of Go type chan int: expected what JSON can hold"},
		{"no number", func(r *authz.Request) { r.Action.Properties = authz.Object{"n": math.NaN()} }, "action.properties.n: NaN is no JSON number"},
		{"an infinite number", func(r *authz.Request) { r.Resource.Properties = authz.Object{"n": math.Inf(-1)} }, "resource.properties.n: -Inf is no JSON number"},
		{"a text that is no number", func(r *authz.Request) { r.Context = authz.Object{"n": json.Number("0x10")} }, `context.n: "0x10" is no JSON number`},
		{"a number that cannot be computed with", func(r *authz.Request) { r.Context = authz.Object{"n": json.Number("1e999999999")} }, `context.n: number "1e999999999" cannot be computed with`},
		{"a type that is not one of those that a request has", func(r *authz.Request) { r.Context = authz.Object{"n": uint8(1)} }, "context.n: a value of Go type uint8"},
		{"as deep as allowed", func(r *authz.Request) { r.Context = deep(pdp.MaxDepth) }, ""},
		{"one level deeper", func(r *authz.Request) { r.Subject.Properties = deep(pdp.MaxDepth + 1) }, "is nested deeper than 64 levels"},
		{"lists count as levels", func(r *authz.Request) {
			r.Context = authz.Object{"x": []any{map[string]any(deep(pdp.MaxDepth - 1))}}
		}, "is nested deeper than 64 levels"},
		{"all values", func(r *authz.Request) {
			r.Context = authz.Object{"a": nil, "b": true, "c": "", "d": 1.5, "e": json.Number("1"), "f": 1, "g": int64(1), "h": []any{}, "i": map[string]any{}}
		}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, _ := newPDP(func(_ context.Context, in eval.Input) (eval.Output, error) {
				if !in.Validated || test.text != "" {
					t.Errorf("an evaluator is given %+v", in)
				}
				return eval.Output{Allow: true}, nil
			}, pdp.Limits{})
			request := newRequest()
			test.change(request)
			_, alone := p.Decide(t.Context(), request, pdp.DecideOptions{})
			decisions, err := p.DecideBatch(t.Context(), pdp.Batch{Tenant: "t", Requests: []*authz.Request{request}})
			if err != nil {
				t.Fatal(err)
			}
			for way, err := range map[string]error{"alone": alone, "in a batch": decisions[0].Err} {
				switch {
				case test.text == "" && err != nil:
					t.Errorf("%s: refused: %v", way, err)
				case test.text != "" && (authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), test.text)):
					t.Errorf("%s: error is %v; expected %q", way, err, test.text)
				}
			}
		})
	}
	p, _ := newPDP(nil, pdp.Limits{})
	if _, err := p.Decide(t.Context(), nil, pdp.DecideOptions{}); authz.KindOf(err) != authz.Invalid {
		t.Errorf("no request: %v", err)
	}
}
