package activation_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// fake is an evaluator that refuses a policy whose data has the member refuse.
type fake struct{}

func (fake) Name() string { return "fake" }

func (fake) Prepare(_ context.Context, policy *rego.Policy) (eval.Program, error) {
	if policy.Data().Get(ast.StringTerm("refuse")) != nil {
		return nil, errors.New("the fake evaluator cannot take refuse")
	}
	return program{revision: policy.Revision()}, nil
}

// PrepareRule refuses the rule refused.
func (fake) PrepareRule(_ context.Context, _ *rego.Policy, name string) (eval.Rule, error) {
	if name == "data.authz.refused" {
		return nil, errors.New("the fake evaluator cannot take the rule refused")
	}
	return rule(name), nil
}

// A rule yields its name.
type rule string

func (r rule) Value(context.Context, eval.Input) (any, bool, error) { return string(r), true, nil }

type program struct{ revision string }

func (program) Eval(context.Context, eval.Input) (eval.Output, error) { return eval.Output{}, nil }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const tenant = "workforce"

// newSet is a Set of one tenant over the bundle at a path, on evaluators or else
// on fake, and what it logs.
func newSet(path string, evaluators ...eval.Evaluator) (*activation.Set, *observer.ObservedLogs) {
	return newSetWith(path, func(o *activation.Options) {
		if len(evaluators) > 0 {
			o.Evaluators = evaluators
		}
	})
}

// newSetWith is newSet with other options.
func newSetWith(path string, change func(*activation.Options)) (*activation.Set, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.InfoLevel)
	options := activation.Options{
		Tenants: []activation.Tenant{{
			Name: tenant,
			Path: path,
			Load: func(func()) (*bundle.Bundle, error) { return bundle.Read(path) },
		}},
		Evaluators: []eval.Evaluator{fake{}},
		Logger:     zap.New(core),
		Clock:      func() time.Time { return noon },
	}
	change(&options)
	return activation.New(options), logs
}

// sound is a bundle that compiles.
func sound(revision string) map[string]string {
	return map[string]string{
		".manifest":  fmt.Sprintf(`{"revision": %q}`, revision),
		"authz.rego": "package authz\n\nallow if input.subject.id == \"mina\"\n",
	}
}

// write writes files below dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// activate activates the tenant and fails the test where that fails.
func activate(t *testing.T, s *activation.Set) *activation.Active {
	t.Helper()
	if err := s.Activate(t.Context(), tenant); err != nil {
		t.Fatal(err)
	}
	active, err := s.Active(tenant)
	if err != nil {
		t.Fatal(err)
	}
	return active
}
