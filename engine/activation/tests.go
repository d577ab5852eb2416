package activation

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/suite"
)

const (
	// maxTesting is how long the tests of a bundle may take together, so that a
	// change is active, or refused, soon.
	maxTesting = 30 * time.Second
	// maxShownTests is how many tests that do not hold an error names.
	maxShownTests = 10
)

// rehearse reports why the tests of a bundle keep it from becoming active, if
// they do. A bundle without tests has none that fails.
//
// OPA's runner evaluates each test in a goroutine of its own, where nobody can
// recover: a test that makes a built-in panic ends the process.
func (t Tenant) rehearse(ctx context.Context, b *bundle.Bundle, rest func()) error {
	if t.Tests == nil || len(b.TestModules) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, maxTesting)
	defer cancel()
	began := time.Now()
	report, err := t.Tests(bounded, b, func() {
		if time.Since(began) < maxTesting/2 { // or they would have less time while much is asked
			rest()
		}
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded.Err() != nil:
		return authz.Errorf(authz.LimitExceeded, "the tests of bundle %s took longer than %s: keep them, and the directory.jsonl that they run on, small, or skip them for the tenant", b.Name, maxTesting)
	case err != nil:
		return fmt.Errorf("the tests of bundle %s cannot run: %w", b.Name, err)
	case report.OK():
		return nil
	}
	return failing(b, report)
}

// failing names the tests that do not hold.
func failing(b *bundle.Bundle, report suite.Report) error {
	failed := &authz.Error{
		Kind:    authz.Invalid,
		Message: fmt.Sprintf("%d of the %d tests of bundle %s do not hold", report.Failed+report.Errored, len(report.Tests), b.Name),
	}
	if b.Directory == nil { // as opa build leaves it
		failed.Message += " on an empty directory, since there is no directory.jsonl in it"
	}
	for _, test := range report.Tests {
		if (test.Outcome == suite.Fail || test.Outcome == suite.Error) && len(failed.Violations) < maxShownTests {
			failed.Violations = append(failed.Violations, authz.Violation{Field: test.Location, Description: describe(test)})
		}
	}
	return failed
}

// describe is a test that does not hold, with its reason if there is one.
func describe(test suite.Test) string {
	name := test.Package + "." + test.Name
	reason := cmp.Or(test.Err, test.FailedExpr)
	if reason == "" {
		return name
	}
	if test.FailedAt != "" {
		reason += " (" + test.FailedAt + ")"
	}
	return name + ": " + reason
}
