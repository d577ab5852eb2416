package eval

import (
	"errors"

	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Failure is the error of an evaluation. A fault of the policy, which is an
// error of OPA's, becomes one of kind Evaluation that begins with the place in
// the policy, as file:line, and OPA's code; any other error is returned as it
// is.
func Failure(err error) error {
	fault, isOPAs := errors.AsType[*topdown.Error](err)
	switch {
	case !isOPAs:
		return err
	case fault.Location == nil:
		return authz.Errorf(authz.Evaluation, "%w", err)
	default:
		return authz.Errorf(authz.Evaluation, "%s: %s: %s%w", rego.Location(fault.Location), fault.Code, fault.Message, silent{err})
	}
}

// silent keeps a cause without its text.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }
