package suite

import "time"

// An Outcome is what became of a test.
type Outcome uint8

const (
	// Pass is a test that held.
	Pass Outcome = iota
	// Fail is a test that did not hold, or one of whose cases did not.
	Fail
	// Error is a test that could not be evaluated to its end, or met a
	// built-in's runtime error.
	Error
	// Skip is a test whose name begins with todo_.
	Skip
)

var outcomeNames = [...]string{Pass: "pass", Fail: "fail", Error: "error", Skip: "skip"}

// String is the outcome's name: "pass", "fail", "error" or "skip".
func (o Outcome) String() string { return outcomeNames[o] }

// A Test is what became of one test rule.
type Test struct {
	// Package is the package's path, such as "data.authz_test".
	Package string
	// Name is the rule's name, such as "test_owner_reads".
	Name string
	// Location is where the rule stands, as file:line.
	Location string
	Outcome  Outcome
	// Duration is the time that the evaluation took.
	Duration time.Duration
	// Output is what the test and the policy printed.
	Output string
	// FailedAt and FailedExpr are, for a test that failed, the expression that
	// did not hold and where it stands, where OPA tells; for an error FailedAt
	// is where it arose.
	FailedAt   string
	FailedExpr string
	// FailedCases are the names of the cases that did not hold, sorted, of a
	// test that has cases: test_name[case] if { … }.
	FailedCases []string
	// Err is why the outcome is Error.
	Err string
}

// A Report is what became of a bundle's tests.
type Report struct {
	// Tests are in the order of their files and lines.
	Tests []Test
	// Passed, Failed, Errored and Skipped add up to the number of tests.
	Passed, Failed, Errored, Skipped int
	// Duration is the time from compiling to the last test.
	Duration time.Duration
}

// OK reports whether no test failed or ended in an error.
func (r Report) OK() bool { return r.Failed == 0 && r.Errored == 0 }

func (r *Report) count(o Outcome) {
	switch o {
	case Pass:
		r.Passed++
	case Fail:
		r.Failed++
	case Error:
		r.Errored++
	case Skip:
		r.Skipped++
	}
}
