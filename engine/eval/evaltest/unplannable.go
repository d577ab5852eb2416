package evaltest

// Unplannable is a module that OPA evaluates and cannot plan: rules below one
// variable are one function of a plan, which cannot call itself. It allows
// user:mina, and nobody else. OPA says of line 9 what it cannot plan.
const Unplannable = `package authz

allow if holds[input.subject.id].read

holds[subject].write if subject := "mina"

holds[subject].read if {
	some subject in ["mina", "olga"]
	holds[subject].write
}
`
