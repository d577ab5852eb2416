package eval

import (
	"context"
	"time"
)

// A Profiler is a program that can tell what its rules cost. It takes no part in
// deciding: what it is given, the program has answered already.
type Profiler interface {
	// PrepareProfiling makes what Profile needs, when it is first called. That may take
	// as long as it took to prepare the program.
	PrepareProfiling()
	// Profile evaluates an input for what its rules cost. What it yields, and its errors,
	// nobody hears. It does nothing before PrepareProfiling.
	Profile(ctx context.Context, in Input)
	// Costs are what Profile has counted since the program was prepared.
	Costs() Profile
}

// A Profile is what the rules of a policy cost in some evaluations.
type Profile struct {
	Evaluations uint64
	// Rules are those that were evaluated, the one that took most time first.
	Rules []RuleCost
}

// A RuleCost is what a rule cost.
type RuleCost struct {
	// Rule is its path, such as data.authz.allow.
	Rule string
	// Calls are how often it was evaluated. What is remembered of an evaluation of it is
	// none.
	Calls uint64
	// Time is how long that took, without the rules that it calls.
	Time time.Duration
}
