// Package rego compiles a bundle into a Policy: checked, with its names
// resolved, and ready for an evaluator to prepare. It is the one place that
// touches OPA's compiler.
//
// The contract of a decision is held here, before a request exists: the package
// of the decision defines allow, its rules have the types that a decision is
// made of, and no built-in function that reaches the network, draws random
// numbers or looks at the machine's clock is called unless it was turned on.
// Beyond that, what OPA accepts is accepted, unless its own type checker or
// evaluator would not come to the end of it.
//
// The package knows no store, no clock and no evaluator. Start with Compile.
package rego
