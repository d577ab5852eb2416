package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// DefaultTimeout is how long one test may take unless told otherwise.
const DefaultTimeout = 5 * time.Second

// Options say what is run, and on what.
type Options struct {
	// Bundle holds the policy and the tests. The library it uses must have
	// been added to it.
	Bundle *bundle.Bundle
	// Store holds the documents under data, the bundle's static data among
	// them. It is read by several tests at once, each in a transaction of its
	// own. Nil means the static data alone.
	Store storage.Store
	// Builtins are the built-in functions that are turned on besides, as in
	// rego.Options.
	Builtins []string
	// Filter is a regular expression that a test's full name, such as
	// data.authz_test.test_owner_reads, must match. Empty means all.
	Filter string
	// Timeout bounds one test. 0 means DefaultTimeout.
	Timeout time.Duration
	// Parallel is how many tests run at once. 0 means one a processor.
	Parallel int
	// Rest is called after each test, and often while they are compiled, for others to
	// have their turn; nil is not.
	Rest func()
}

// Run runs the tests and reports what became of each. The error is of kind
// Invalid where the bundle does not compile or the filter is wrong, and the
// context's own where it ended first; a test that fails is no error.
func Run(ctx context.Context, opts Options) (Report, error) {
	start := time.Now()
	if _, err := regexp.Compile(opts.Filter); err != nil {
		return Report{}, authz.InvalidField("filter", "%s", err)
	}
	tests, err := rego.ForTests(opts.Bundle, rego.Options{Builtins: opts.Builtins, Rest: opts.Rest})
	if err != nil {
		return Report{}, err
	}
	r := run{compiler: tests.Compiler, builtins: tests.Builtins, store: opts.Store, timeout: cmp.Or(opts.Timeout, DefaultTimeout)}
	if r.store == nil {
		r.store = inmem.NewFromObject(opts.Bundle.Data)
	}
	results, err := r.runner().
		SetModules(tests.Modules).
		SetParallel(cmp.Or(opts.Parallel, runtime.GOMAXPROCS(0))).
		Filter(opts.Filter).
		RunTests(ctx, nil)
	if err != nil {
		return Report{}, rego.Invalid(err)
	}
	var finished []*tester.Result
	for result := range results {
		finished = append(finished, result)
		if opts.Rest != nil {
			opts.Rest()
		}
	}
	slices.SortFunc(finished, func(a, b *tester.Result) int {
		return cmp.Or(a.Location.Compare(b.Location), cmp.Compare(a.Name, b.Name))
	})
	var report Report
	for _, result := range finished {
		test := r.report(ctx, result)
		report.Tests = append(report.Tests, test)
		report.count(test.Outcome)
	}
	if err := ctx.Err(); err != nil {
		return Report{}, err
	}
	report.Duration = time.Since(start)
	return report, nil
}

// A run is what all tests of one report share.
type run struct {
	compiler *ast.Compiler
	builtins []*tester.Builtin
	store    storage.Store
	timeout  time.Duration
}

func (r run) runner() *tester.Runner {
	return tester.NewRunner().
		SetCompiler(r.compiler).
		AddCustomBuiltins(r.builtins).
		SetStore(r.store).
		SetTimeout(r.timeout).
		RaiseBuiltinErrors(true).
		CapturePrintOutput(true)
}

func (r run) report(ctx context.Context, result *tester.Result) Test {
	test := Test{
		Package:  result.Package,
		Name:     result.Name,
		Location: rego.Location(result.Location),
		Duration: result.Duration,
		Output:   string(result.Output),
	}
	switch {
	case result.Skip:
		test.Outcome = Skip
	case result.Error != nil:
		test.Outcome = Error
		test.FailedAt, test.Err = r.describe(result)
	case result.Fail:
		test.Outcome = Fail
		test.FailedCases = failedCases(result.SubResults)
		if expr := r.failedExpr(ctx, result.Location); expr != nil {
			test.FailedAt = rego.Location(expr.Location)
			test.FailedExpr = strings.Join(strings.Fields(string(expr.Location.Text)), " ")
		}
	}
	return test
}

// describe is where a test's error arose and what it says.
func (r run) describe(result *tester.Result) (at, text string) {
	// OPA starts the duration somewhat after the timeout. What was canceled much
	// earlier ended by a time limit of its own, such as a request's.
	if (topdown.IsCancel(result.Error) || rego.Stopped(result.Error)) && result.Duration >= r.timeout/2 {
		return "", fmt.Sprintf("the test took longer than %s: give it more time, or less to do", r.timeout)
	}
	var raised *topdown.Error
	if !errors.As(result.Error, &raised) {
		return "", result.Error.Error()
	}
	if called, ok := errors.AsType[*rego.CallError](result.Error); ok {
		return rego.Location(raised.Location), called.Error()
	}
	return rego.Location(raised.Location), raised.Message
}

// failedCases are the names of the cases that failed, those inside others with
// the names before theirs.
func failedCases(results tester.SubResultMap) []string {
	var names []string
	for path, result := range results.Iter {
		if result.Fail && len(result.SubResults) == 0 {
			names = append(names, strings.Join(path, "/"))
		}
	}
	return names
}
