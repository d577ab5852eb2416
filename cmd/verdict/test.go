package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/suite"
)

// bundleDirectory is the file of a bundle that its tests find in
// data.directory.
const bundleDirectory = "directory.jsonl"

// A tester is the verb's flags.
type tester struct {
	tenant    string
	directory string
	filter    string
	timeout   timeout
	verbose   bool
	builtins  []string
}

func newTestCommand(p *printer) *cobra.Command {
	var t tester
	cmd := &cobra.Command{
		Use:   "test BUNDLE…",
		Short: "Run the Rego tests of bundles",
		Long: `Run the Rego tests of bundles: the rules test_… in their files *_test.rego.

data.directory is what the bundle's directory.jsonl, or another file in the
import format, says; a test can put anything else in its place:
  test_suspended if not allow with data.directory.user.mina as {…}

Exit code: 0 when all tests hold, 1 when one does not, 2 when they cannot run.`,
		Example: `  verdict test ./policy
  verdict test ./policy --run contractor --directory other.jsonl`,
		Args: arguments(1, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := regexp.Compile(t.filter); err != nil {
				return fmt.Errorf("--run %q: %w", t.filter, err)
			}
			total := testReport{Bundles: []bundleReport{}}
			for _, path := range args {
				report, err := t.run(cmd.Context(), path)
				if err != nil {
					return err
				}
				if len(report.Tests) == 0 && t.filter == "" {
					return fmt.Errorf("bundle %s has no tests: write rules test_… into a file *_test.rego", path)
				}
				total.add(path, report)
			}
			if total.count() == 0 {
				return fmt.Errorf("no test matches --run %s", t.filter)
			}
			return total.print(p, t.verbose)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&t.tenant, "tenant", authz.DefaultTenant, "the `tenant` whose root stands above the directory")
	flags.StringVar(&t.directory, "directory", "", "the directory, a `file` in the import format (default: directory.jsonl in the bundle)")
	flags.StringVar(&t.filter, "run", "", "run the tests whose full name matches this `regexp`")
	t.timeout = timeout(suite.DefaultTimeout)
	flags.Var(&t.timeout, "timeout", "how long one test may take")
	flags.StringSliceVar(&t.builtins, "builtins", nil, "built-in `functions` to turn on that are off by default, such as http.send")
	flags.BoolVarP(&t.verbose, "verbose", "v", false, "list the tests that hold, too")
	return cmd
}

// run runs the tests of one bundle.
func (t *tester) run(ctx context.Context, path string) (suite.Report, error) {
	if err := authz.ValidateTenant(t.tenant); err != nil {
		return suite.Report{}, err
	}
	b, err := bundle.Read(path)
	b, err = withLibrary(b, err)
	if err != nil {
		return suite.Report{}, err
	}
	lines := linesOf(b, path)
	if t.directory != "" {
		lines = directoryLines{name: t.directory, open: func() (io.ReadCloser, error) { return os.Open(t.directory) }}
	}
	return runTests(ctx, t.tenant, lines, suite.Options{
		Bundle: b, Builtins: t.builtins, Filter: t.filter, Timeout: time.Duration(t.timeout),
	})
}

// directoryLines are what tests find in data.directory, in the import format.
type directoryLines struct {
	name string
	open func() (io.ReadCloser, error) // nil for nothing
}

// linesOf are the lines that a bundle brings, which was read from a path.
func linesOf(b *bundle.Bundle, path string) directoryLines {
	return directoryLines{name: filepath.Join(path, bundleDirectory), open: b.Directory}
}

// runTests runs tests on a directory of their own.
func runTests(ctx context.Context, tenant string, lines directoryLines, options suite.Options) (_ suite.Report, err error) {
	dir, err := directory.Open(directory.Options{Tenants: []string{tenant}, Clock: time.Now, Logger: zap.NewNop()})
	if err != nil {
		return suite.Report{}, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if lines.open != nil {
		file, err := lines.open()
		if err != nil {
			return suite.Report{}, err
		}
		defer file.Close()
		if err := importAll(ctx, dir, tenant, lines.name, file); err != nil {
			return suite.Report{}, err
		}
	}
	snapshot, err := dir.Snapshot(ctx, tenant, authz.Consistency{})
	if err != nil {
		return suite.Report{}, err
	}
	defer snapshot.Close()
	cache := pip.NewCache(pip.Options{})
	options.Store, err = topdown.NewStore(options.Bundle.Data, func() eval.Directory { return cache.Reader(snapshot, math.MaxInt) })
	if err != nil {
		return suite.Report{}, err
	}
	return suite.Run(ctx, options)
}

// A testReport is what became of the tests, as --output json prints it.
type testReport struct {
	Bundles []bundleReport `json:"bundles"`
	Passed  int            `json:"passed"`
	Failed  int            `json:"failed"`
	Errors  int            `json:"errors"`
	Skipped int            `json:"skipped"`
}

type bundleReport struct {
	Bundle string     `json:"bundle"`
	Tests  []testJSON `json:"tests"`
}

type testJSON struct {
	Package     string   `json:"package"`
	Name        string   `json:"name"`
	Location    string   `json:"location"`
	Outcome     string   `json:"outcome"`
	DurationNS  int64    `json:"duration_ns"`
	Output      string   `json:"output,omitempty"`
	FailedAt    string   `json:"failed_at,omitempty"`
	FailedExpr  string   `json:"failed_expr,omitempty"`
	FailedCases []string `json:"failed_cases,omitempty"`
	Error       string   `json:"error,omitempty"`
}

func (r *testReport) add(path string, report suite.Report) {
	b := bundleReport{Bundle: path, Tests: []testJSON{}}
	for _, t := range report.Tests {
		b.Tests = append(b.Tests, testJSON{
			Package: t.Package, Name: t.Name, Location: t.Location,
			Outcome: t.Outcome.String(), DurationNS: t.Duration.Nanoseconds(), Output: t.Output,
			FailedAt: t.FailedAt, FailedExpr: t.FailedExpr, FailedCases: t.FailedCases, Error: t.Err,
		})
	}
	r.Bundles = append(r.Bundles, b)
	r.Passed += report.Passed
	r.Failed += report.Failed
	r.Errors += report.Errored
	r.Skipped += report.Skipped
}

func (r *testReport) count() int { return r.Passed + r.Failed + r.Errors + r.Skipped }

func (r *testReport) print(p *printer, verbose bool) error {
	if p.json() {
		if err := p.printJSON(r); err != nil {
			return err
		}
	} else {
		for _, b := range r.Bundles {
			for _, t := range b.Tests {
				if verbose || t.Outcome != suite.Pass.String() {
					t.print(p)
				}
			}
		}
		p.printf("%d tests: %d passed, %d failed, %d errors, %d skipped\n",
			r.count(), r.Passed, r.Failed, r.Errors, r.Skipped)
	}
	if r.Failed+r.Errors > 0 {
		return errNo
	}
	return nil
}

func (t testJSON) print(p *printer) {
	colour := green
	if t.Outcome != suite.Pass.String() {
		colour = red
	}
	p.printf("%s  %s\n", p.paint(colour, t.Outcome), printable(t.Package+"."+t.Name+"  "+t.Location))
	if t.FailedExpr != "" {
		p.printf("      not so: %s\n", printable(t.FailedExpr+" ("+t.FailedAt+")"))
	}
	if len(t.FailedCases) > 0 {
		p.printf("      cases: %s\n", printable(strings.Join(t.FailedCases, ", ")))
	}
	if t.Error != "" {
		p.printf("      %s\n", printable(t.Error+" "+t.FailedAt))
	}
	for line := range strings.Lines(t.Output) {
		p.printf("      | %s\n", printable(strings.TrimRight(line, "\n")))
	}
}
