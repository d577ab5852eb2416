package residual

import (
	"fmt"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A rule or a function that has two values at once fails the decision, and so denies.
// Partial evaluation does not see it: it follows the value that is asked for. So what
// may come to two values by what is not known is a condition that was not recognised.

// conflicted is unrecognised where there are conflicts that may come up.
func (r *reader) conflicted(conflicts []rego.Conflict) (Formula, error) {
	var parts []Formula
	for _, c := range conflicts {
		possible, err := r.possible(c)
		if err != nil {
			return Formula{}, err
		}
		if possible {
			parts = append(parts, holds(Condition{Op: Unrecognised, Reason: Reason{
				Place: rego.Location(c[1].Location),
				Why:   fmt.Sprintf("%s may have two values at once, at which the decision fails: make rules of the cases that are true or undefined", c[1].Ref().GroundPrefix()),
			}}))
		}
	}
	return and(parts...), nil
}

// possible reports whether both rules of a conflict may hold, as far as that can be
// told.
func (r *reader) possible(c rego.Conflict) (bool, error) {
	for _, rule := range c {
		if len(rule.Head.Args) > 0 || rule.Else != nil {
			return true, nil
		}
	}
	if c[0] == c[1] {
		return true, nil
	}
	left, err := r.partial.Run(append(c[0].Body.Copy(), c[1].Body.Copy()...))
	if authz.KindOf(err) == authz.Invalid {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return r.read(left).Op != Never, r.err
}
