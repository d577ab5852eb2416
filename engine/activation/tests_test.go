package activation_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/suite"
)

// newTestedSet is a Set of one tenant over the bundle at a path, whose tests
// must hold.
func newTestedSet(path string, tests func(context.Context, *bundle.Bundle, func()) (suite.Report, error)) *activation.Set {
	return activation.New(activation.Options{
		Tenants: []activation.Tenant{{
			Name:  tenant,
			Load:  func(func()) (*bundle.Bundle, error) { return bundle.Read(path) },
			Tests: tests,
		}},
		Evaluators: []eval.Evaluator{fake{}},
		Logger:     zap.NewNop(),
		Clock:      time.Now,
	})
}

func runTests(ctx context.Context, b *bundle.Bundle, _ func()) (suite.Report, error) {
	return suite.Run(ctx, suite.Options{Bundle: b})
}

const (
	holds = "package authz_test\n\nimport data.authz\n\ntest_mina if authz.allow with input.subject.id as \"mina\"\n"
	fails = holds + "\ntest_olga if authz.allow with input.subject.id as \"olga\"\n\ntest_number if to_number(\"x\") == 1\n\ntodo_test_later if false\n"
)

func TestABundleWhoseTestsFailDoesNotBecomeActive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "policies")
	write(t, dir, sound("r1"))
	write(t, dir, map[string]string{"authz_test.rego": holds, "directory.jsonl": ""})
	set := newTestedSet(dir, runTests)
	before := activate(t, set)

	write(t, dir, sound("r2"))
	write(t, dir, map[string]string{"authz_test.rego": fails})
	err := set.Activate(t.Context(), tenant)

	if authz.KindOf(err) != authz.Invalid || err.Error() != "2 of the 4 tests of bundle policies do not hold; "+
		dir+"/authz_test.rego:7: data.authz_test.test_olga: authz.allow with input.subject.id as \"olga\" ("+dir+"/authz_test.rego:7); "+
		dir+"/authz_test.rego:9: data.authz_test.test_number: to_number: strconv.ParseFloat: parsing \"x\": invalid syntax ("+dir+"/authz_test.rego:9)" {
		t.Errorf("got %v (%v)", err, authz.KindOf(err))
	}
	if after, _ := set.Active(tenant); after != before {
		t.Errorf("%+v became active", after)
	}
	if status := set.Status()[0]; status.Revision != "r1" || status.LastError != err.Error() {
		t.Errorf("status does not tell: %+v", status)
	}

	write(t, dir, map[string]string{"authz_test.rego": holds})
	if after := activate(t, set); after.Revision != "r2" || set.Status()[0].LastError != "" {
		t.Errorf("after the tests were mended, %+v is active", set.Status()[0])
	}
}

func TestTestsThatChangeAloneAreRun(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	set := newTestedSet(dir, runTests)
	activate(t, set)

	write(t, dir, map[string]string{"authz_test.rego": fails})
	if err := set.Activate(t.Context(), tenant); err == nil {
		t.Error("a bundle whose new tests fail is taken for the active one")
	}
}

func TestTestsAreNotRunWithoutNeed(t *testing.T) {
	runs := 0
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	set := newTestedSet(dir, func(ctx context.Context, b *bundle.Bundle, rest func()) (suite.Report, error) {
		runs++
		return runTests(ctx, b, rest)
	})
	activate(t, set)
	if runs != 0 {
		t.Errorf("a bundle without tests was tested")
	}
	write(t, dir, map[string]string{"authz_test.rego": holds})
	activate(t, set)
	activate(t, set)
	if runs != 1 {
		t.Errorf("the tests ran %d times, want once", runs)
	}
	untested := newTestedSet(dir, nil)
	write(t, dir, map[string]string{"authz_test.rego": fails})
	activate(t, untested)
}

func TestErrorsOfManyTestsAreBounded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	write(t, dir, map[string]string{"authz_test.rego": "package authz_test\n\n" + strings.Repeat("test_x if false\n\n", 50)})
	err := newTestedSet(dir, runTests).Activate(t.Context(), tenant)
	if n := len(authz.ViolationsOf(err)); n != 10 || !strings.HasPrefix(err.Error(), "50 of the 50 tests of bundle "+filepath.Base(dir)+" do not hold on an empty directory, since there is no directory.jsonl in it; ") {
		t.Errorf("%d tests are named: %v", n, err)
	}
}

func TestTestsThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	write(t, dir, map[string]string{"authz_test.rego": "package authz_test\n\ntest_x if nosuch(1)\n"})
	err := newTestedSet(dir, runTests).Activate(t.Context(), tenant)
	if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), "cannot run: "+dir+"/authz_test.rego:3: ") {
		t.Errorf("got %v (%v)", err, authz.KindOf(err))
	}
}

func TestTheTimeOfTestsIsBounded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	write(t, dir, map[string]string{"authz_test.rego": holds})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := newTestedSet(dir, func(ctx context.Context, _ *bundle.Bundle, _ func()) (suite.Report, error) {
			<-ctx.Done()
			return suite.Report{}, ctx.Err()
		}).Activate(t.Context(), tenant)
		if authz.KindOf(err) != authz.LimitExceeded || !strings.Contains(err.Error(), "longer than 30s") || time.Since(start) != 30*time.Second {
			t.Errorf("after %s: %v (%v)", time.Since(start), err, authz.KindOf(err))
		}
	})
}

func TestTestsEndWithTheContext(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	write(t, dir, map[string]string{"authz_test.rego": holds})
	ctx, cancel := context.WithCancel(t.Context())
	set := newTestedSet(dir, func(ctx context.Context, _ *bundle.Bundle, _ func()) (suite.Report, error) {
		cancel()
		return suite.Report{}, ctx.Err()
	})
	if err := set.Activate(ctx, tenant); !errors.Is(err, context.Canceled) || set.Status()[0].LastError != "" {
		t.Errorf("got %v, status %+v", err, set.Status()[0])
	}
}

// What panics while it is activated is refused, and what is active stays.
func TestActivationThatPanics(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, sound("r1"))
	write(t, dir, map[string]string{"authz_test.rego": holds})
	panics := false
	set := newTestedSet(dir, func(context.Context, *bundle.Bundle, func()) (suite.Report, error) {
		if panics {
			panic("boom")
		}
		return suite.Report{}, nil
	})
	before := activate(t, set)
	panics = true
	if err := os.WriteFile(filepath.Join(dir, "authz_test.rego"), []byte(holds+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := set.Activate(t.Context(), tenant)
	if after, _ := set.Active(tenant); err == nil || !strings.Contains(err.Error(), "panicked: boom") || after != before {
		t.Errorf("got %v, active %+v", err, after)
	}
}
