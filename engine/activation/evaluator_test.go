package activation_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/pip/piptest"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// picky is an evaluator that takes only the policies whose revision it can.
type picky struct {
	name string
	can  func(revision string) error
}

func (p picky) Name() string { return p.name }

func (p picky) Prepare(_ context.Context, policy *rego.Policy) (eval.Program, error) {
	if err := p.can(policy.Revision()); err != nil {
		return nil, err
	}
	return program{revision: policy.Revision()}, nil
}

func (p picky) PrepareRule(ctx context.Context, policy *rego.Policy, name string) (eval.Rule, error) {
	return fake{}.PrepareRule(ctx, policy, name)
}

func anything(string) error { return nil }

func nothing(string) error { return errors.New("nothing can be taken") }

func onlyEven(revision string) error {
	if strings.HasSuffix(revision, "2") {
		return nil
	}
	return errors.New(revision + " is odd")
}

func panics(string) error { panic("boom") }

func TestAPolicyRunsOnTheFirstEvaluatorThatTakesIt(t *testing.T) {
	for _, c := range []struct {
		name       string
		evaluators []eval.Evaluator
		evaluator  string
		reason     string
	}{
		{"the first", []eval.Evaluator{picky{"a", anything}, picky{"b", panics}}, "a", ""},
		{"the second", []eval.Evaluator{picky{"a", onlyEven}, picky{"b", anything}}, "b", "a cannot take the policy: r1 is odd"},
		{"the third, with the reason of the first", []eval.Evaluator{picky{"a", onlyEven}, picky{"b", nothing}, picky{"c", anything}}, "c", "a cannot take the policy: r1 is odd"},
		{"the second, as the first panics", []eval.Evaluator{picky{"a", panics}, picky{"b", anything}}, "b", "a cannot take the policy: the activation panicked: boom"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, sound("r1"))
			set, logs := newSet(dir, c.evaluators...)

			if active := activate(t, set); active.Program != (program{"r1"}) || active.Evaluator != c.evaluator {
				t.Errorf("active is %+v, want a program of %s", active, c.evaluator)
			}
			checkFallback(t, set, c.evaluator, c.reason)
			checkWarnings(t, logs, c.reason)
		})
	}
}

func TestAFallbackIsToldAtEachReload(t *testing.T) {
	dir := t.TempDir()
	set, logs := newSet(dir, picky{"a", onlyEven}, picky{"b", anything})
	for _, step := range []struct{ revision, evaluator, reason string }{
		{"r1", "b", "a cannot take the policy: r1 is odd"},
		{"r2", "a", ""},
		{"r3", "b", "a cannot take the policy: r3 is odd"},
	} {
		write(t, dir, sound(step.revision))
		activate(t, set)
		activate(t, set) // of the same bundle, which is no reload
		checkFallback(t, set, step.evaluator, step.reason)
	}
	checkWarnings(t, logs, "a cannot take the policy: r1 is odd", "a cannot take the policy: r3 is odd")
}

func TestAPolicyThatNoEvaluatorTakesIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r2"))
	set, logs := newSet(dir, picky{"a", onlyEven}, picky{"b", nothing})
	before := activate(t, set)

	write(t, dir, sound("r1"))
	err := set.Activate(t.Context(), tenant)

	if err == nil || err.Error() != "nothing can be taken" {
		t.Errorf("got error %v, want that of the last evaluator", err)
	}
	if after, _ := set.Active(tenant); after != before {
		t.Errorf("the active program has changed to %+v", after)
	}
	if status := set.Status()[0]; status.LastError != "nothing can be taken" || status.Evaluator != "a" || status.FallbackReason != "" {
		t.Errorf("status does not tell: %+v", status)
	}
	checkWarnings(t, logs)
}

func TestAPolicyThatCannotBePlannedRunsOnTopdown(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"authz.rego": evaltest.Unplannable})
	set, logs := newSet(dir, closure.New(), topdown.New())

	active := activate(t, set)

	status := set.Status()[0]
	for _, part := range []string{"closure cannot take the policy", "OPA cannot plan the policy", "authz.rego:9", "data.authz.holds"} {
		if !strings.Contains(status.FallbackReason, part) {
			t.Errorf("the reason does not tell %q: %s", part, status.FallbackReason)
		}
	}
	checkFallback(t, set, "topdown", status.FallbackReason)
	checkWarnings(t, logs, status.FallbackReason)
	for id, want := range map[string]bool{"mina": true, "olga": false} {
		out, err := active.Program.Eval(t.Context(), eval.Input{
			Request: &authz.Request{
				Tenant: tenant, Subject: authz.Subject{Type: "user", ID: id},
				Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "doc", ID: "d"},
			},
			Directory: pip.NewCache(pip.Options{}).Reader(piptest.New(tenant).Latest(), 10),
			Now:       noon,
		})
		if err != nil || out.Allow != want {
			t.Errorf("%s is allowed: %t, %v", id, out.Allow, err)
		}
	}
}

func checkFallback(t *testing.T, set *activation.Set, evaluator, reason string) {
	t.Helper()
	if status := set.Status()[0]; status.Evaluator != evaluator || status.FallbackReason != reason || status.LastError != "" {
		t.Errorf("status is %+v, want evaluator %s for %q", status, evaluator, reason)
	}
}

// checkWarnings expects one warning for each reason, and none besides.
func checkWarnings(t *testing.T, logs *observer.ObservedLogs, reasons ...string) {
	t.Helper()
	var told []string
	for _, line := range logs.FilterLevelExact(zapcore.WarnLevel).All() {
		told = append(told, line.ContextMap()["error"].(string))
	}
	var want []string
	for _, reason := range reasons {
		if reason != "" {
			want = append(want, reason)
		}
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("the log warns of %q, want %q", told, want)
	}
}

// The rules that a policy has besides a decision's are made ready with it.
func TestFurtherRulesAreMadeReady(t *testing.T) {
	const allow = "package authz\n\nallow := false\n"
	for _, c := range []struct {
		name, policy   string
		actions, other bool
		err            string
	}{
		{"none", allow, false, false, ""},
		{"actions", allow + `actions := {"read"}`, true, false, ""},
		{"another", allow + "other := 1", false, true, ""},
		{"one that the evaluator cannot take", allow + "refused := 1", false, false, "cannot take the rule refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := t.TempDir()
			write(t, path, map[string]string{"policy.rego": c.policy})
			set := activation.New(activation.Options{
				Tenants:    []activation.Tenant{{Name: tenant, Path: path, Load: func(func()) (*bundle.Bundle, error) { return bundle.Read(path) }}},
				Evaluators: []eval.Evaluator{fake{}},
				Rules:      []string{"data.authz.other", "data.authz.refused"},
				Logger:     zap.NewNop(),
				Clock:      time.Now,
			})
			err := set.Activate(t.Context(), tenant)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			active, err := set.Active(tenant)
			if err != nil {
				t.Fatal(err)
			}
			if (active.Actions != nil) != c.actions || (active.Rules["data.authz.other"] != nil) != c.other {
				t.Errorf("actions %v, rules %v", active.Actions, active.Rules)
			}
		})
	}
}
