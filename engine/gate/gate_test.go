package gate_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/gate"
	"github.com/verdictpdp/verdict/policy/bundle"
)

var roles = map[string]any{
	"service:checkout": map[string]any{"shop": "check"},
	"user:olga":        map[string]any{"*": "administer"},
	"":                 map[string]any{"open": "check"},
}

// shipped is the policy that comes with Verdict, with roles.
func shipped() (*bundle.Bundle, error) {
	b, err := bundle.ReadFS(bundles.FS, "api")
	if err == nil {
		b.Data = map[string]any{"verdict": map[string]any{"callers": roles}}
	}
	return b, err
}

// open opens a gate with a policy.
func open(tb testing.TB, load func() (*bundle.Bundle, error), logger *zap.Logger) *gate.Gate {
	tb.Helper()
	set := activation.New(activation.Options{
		Tenants:    []activation.Tenant{{Name: "api", Package: gate.Package, Load: func(func()) (*bundle.Bundle, error) { return load() }}},
		Evaluators: []eval.Evaluator{closure.New()},
		Rules:      []string{gate.Allow, gate.Deny},
		Logger:     zap.NewNop(),
		Clock:      time.Now,
	})
	if err := set.Activate(tb.Context(), "api"); err != nil {
		tb.Fatal(err)
	}
	return gate.New(gate.Options{Logger: logger, Rules: func() (gate.Rules, error) {
		active, err := set.Active("api")
		if err != nil {
			return gate.Rules{}, err
		}
		return gate.Rules{Allow: active.Rules[gate.Allow], Deny: active.Rules[gate.Deny]}, nil
	}})
}

// own is a policy of one file.
func own(tb testing.TB, rules string) func() (*bundle.Bundle, error) {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "api.rego"), []byte("package verdict.api\n\nimport rego.v2\n\n"+rules), 0o600); err != nil {
		tb.Fatal(err)
	}
	return func() (*bundle.Bundle, error) { return bundle.Read(dir) }
}

func by(tb testing.TB, subject string) context.Context {
	tb.Helper()
	if subject == "" {
		return caller.NewContext(tb.Context(), caller.Caller{Address: "127.0.0.1"})
	}
	ref, err := authz.ParseEntityRef(subject)
	if err != nil {
		tb.Fatal(err)
	}
	return caller.NewContext(tb.Context(), caller.Caller{Subject: ref, Method: caller.Token, Address: "10.0.0.7"})
}

func TestAdmit(t *testing.T) {
	core, logs := observer.New(zap.ErrorLevel)
	shipped := open(t, shipped, zap.NewNop())
	tests := []struct {
		name      string
		gate      *gate.Gate
		subject   string
		operation caller.Operation
		tenant    string
		want      authz.Kind // Internal for none
		wantText  string
	}{
		{"what a role has", shipped, "service:checkout", caller.Check, "shop", authz.Internal, ""},
		{"what it has not", shipped, "service:checkout", caller.Write, "shop", authz.PermissionDenied, `service:checkout may not write in tenant "shop"`},
		{"another tenant", shipped, "service:checkout", caller.Check, "staff", authz.PermissionDenied, `in tenant "staff"`},
		{"the whole server", shipped, "service:checkout", caller.Status, "", authz.PermissionDenied, "may not see the status on this server"},
		{"the whole server by who administers all", shipped, "user:olga", caller.Status, "", authz.Internal, ""},
		{"nobody", shipped, "", caller.Check, "shop", authz.Unauthenticated, "nobody may check"},
		{"nobody where that has a role", shipped, "", caller.Check, "open", authz.Internal, ""},
		{"a tenant that is no UTF-8", shipped, "service:checkout", caller.Check, "shop\xff", authz.PermissionDenied, ""},

		{"a policy of one's own", open(t, own(t, `allow if input.caller.address == "10.0.0.7"`), zap.NewNop()), "service:any", caller.Write, "any", authz.Internal, ""},
		{"one that denies", open(t, own(t, "allow := true\n\ndeny contains \"no\" if input.operation == \"write\""), zap.NewNop()), "service:any", caller.Write, "any", authz.PermissionDenied, ""},
		{"one that denies something else", open(t, own(t, "allow := true\n\ndeny contains \"no\" if input.operation == \"write\""), zap.NewNop()), "service:any", caller.Check, "any", authz.Internal, ""},
		{"one that is undefined", open(t, own(t, "allow if { input.tenant; false }\n"), zap.NewNop()), "service:any", caller.Check, "any", authz.PermissionDenied, ""},
		{"one that is false", open(t, own(t, "default allow := false\n"), zap.NewNop()), "service:any", caller.Check, "any", authz.PermissionDenied, ""},
		{"one that is neither true nor false", open(t, own(t, "allow := input.operation\n"), zap.NewNop()), "service:any", caller.Check, "any", authz.PermissionDenied, ""},
		{"one that fails", open(t, own(t, `allow if { not to_number(input.tenant) == 1 }`), zap.New(core)), "service:any", caller.Check, "any", authz.PermissionDenied, ""},
		{"one that fails to deny", open(t, own(t, "allow := true\n\ndeny contains \"no\" if to_number(input.tenant) == 1"), zap.NewNop()), "service:any", caller.Check, "any", authz.PermissionDenied, ""},
		{"one that takes too many steps", open(t, own(t, `allow if { some i in numbers.range(1, 300); some j in numbers.range(1, 300); i + j == to_number(input.tenant) }`), zap.NewNop()), "service:any", caller.Check, "600", authz.PermissionDenied, ""},
		{"one without end", open(t, own(t, `allow if { some i in numbers.range(1, 100000); some j in numbers.range(1, 100000); i + j == to_number(input.tenant) }`), zap.NewNop()), "service:any", caller.Check, "0", authz.PermissionDenied, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.gate.Admit(by(t, tt.subject), tt.operation, tt.tenant)
			if tt.want == authz.Internal && err != nil || tt.want != authz.Internal && authz.KindOf(err) != tt.want ||
				err != nil && !strings.Contains(err.Error(), tt.wantText) {
				t.Errorf("error = %v, want kind %v with %q", err, tt.want, tt.wantText)
			}
		})
	}
	if logs.Len() != 1 {
		t.Errorf("%d entries are logged of a policy that fails, want 1", logs.Len())
	}
	t.Run("a call that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(by(t, "user:olga"))
		cancel()
		if err := shipped.Admit(ctx, caller.Check, "shop"); err != nil && authz.KindOf(err) != authz.Canceled {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("a denial that is no set", func(t *testing.T) {
		odd := gate.New(gate.Options{Logger: zap.NewNop(), Rules: func() (gate.Rules, error) {
			return gate.Rules{Allow: rule(func() any { return true }), Deny: rule(func() any { return false })}, nil
		}})
		if err := odd.Admit(by(t, "user:olga"), caller.Check, "shop"); authz.KindOf(err) != authz.PermissionDenied {
			t.Errorf("error = %v", err)
		}
	})
	t.Run("a policy that panics", func(t *testing.T) {
		core, logs := observer.New(zap.ErrorLevel)
		broken := gate.New(gate.Options{Logger: zap.New(core), Rules: func() (gate.Rules, error) {
			return gate.Rules{Allow: rule(func() any { panic("broken") })}, nil
		}})
		if err := broken.Admit(by(t, "user:olga"), caller.Check, "shop"); authz.KindOf(err) != authz.PermissionDenied || logs.Len() != 1 {
			t.Errorf("error = %v, and %d entries are logged", err, logs.Len())
		}
	})
	t.Run("no policy", func(t *testing.T) {
		missing := gate.New(gate.Options{Logger: zap.NewNop(), Rules: func() (gate.Rules, error) {
			return gate.Rules{}, authz.Errorf(authz.Unavailable, "there is none yet")
		}})
		if err := missing.Admit(by(t, "user:olga"), caller.Check, "shop"); authz.KindOf(err) != authz.Unavailable {
			t.Errorf("error = %v", err)
		}
	})
}

// A rule is one that is defined, whatever it is asked.
type rule func() any

func (r rule) Value(context.Context, eval.Input) (any, bool, error) { return r(), true, nil }

// Questions are used again: none may be answered as the one before it.
func TestCallsDoNotMix(t *testing.T) {
	g := open(t, shipped, zap.NewNop())
	questions := []struct {
		subject   string
		operation caller.Operation
		tenant    string
		allowed   bool
	}{
		{"service:checkout", caller.Check, "shop", true},
		{"service:checkout", caller.Check, "staff", false},
		{"user:olga", caller.Check, "staff", true},
		{"", caller.Check, "staff", false},
		{"", caller.Check, "open", true},
		{"", caller.Write, "open", false},
		{"user:olga", caller.Status, "", true},
		{"service:checkout", caller.Status, "", false},
	}
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 2_000 {
				q := questions[(i*7+worker)%len(questions)]
				if err := g.Admit(by(t, q.subject), q.operation, q.tenant); (err == nil) != q.allowed {
					t.Errorf("%+v: %v", q, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkAdmit is what it costs each call to be admitted, by the policy that comes with
// Verdict and 100 callers.
func BenchmarkAdmit(b *testing.B) {
	many := map[string]any{"service:checkout": map[string]any{"shop": "check"}}
	for i := range 100 {
		many["service:"+strings.Repeat("x", i+1)] = map[string]any{"shop": "write"}
	}
	g := open(b, func() (*bundle.Bundle, error) {
		loaded, err := shipped()
		if err == nil {
			loaded.Data = map[string]any{"verdict": map[string]any{"callers": many}}
		}
		return loaded, err
	}, zap.NewNop())
	ctx := by(b, "service:checkout")
	b.ReportAllocs()
	for b.Loop() {
		if err := g.Admit(ctx, caller.Check, "shop"); err != nil {
			b.Fatal(err)
		}
	}
}
