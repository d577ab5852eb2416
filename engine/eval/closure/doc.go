// Package closure evaluates policies by compiling them. OPA's planner turns a
// policy into an imperative plan (package ir of OPA); this package decodes the
// plan into a tree, makes the tree smaller in a few passes, and turns it into Go
// closures over places in a machine. That is done once, at activation; a decision
// then only calls closures.
//
// What topdown answers is right by definition. Package evaltest holds this
// evaluator to it: by the cases of the contract, by all of OPA's own cases, by
// OPA's test runner on the shipped bundles, and by generated policies.
//
// # From policy to code
//
//	policy/rego     Plan       OPA's plan of the query of a decision
//	decode.go       decode     the plan as a tree: names resolved, rules found again
//	tree.go                    what a tree consists of
//	passes.go       optimise   the passes, in order, each in a file of its own
//	specialise.go   specialise the tree for requests of a kind, see below
//	layout.go       layout     a place for every local
//	code.go, …      encode     the tree as closures: functions, statements.go, expressions.go
//	executable.go   run        a machine runs the code
//	evaluator.go    Eval       from request to output
//
// A statement becomes a step, a func(*machine) that returns a signal: go on, or
// end so many blocks. An expression becomes a value, a func(*machine) that
// returns a term, or nil where it is undefined. Nothing is looked up by name when
// they run, but for what a request asks to be looked up.
//
// # Values
//
// Values are OPA's own terms, so that nothing is converted at the border of a
// built-in, and what a policy yields compares as OPA compares it. Two kinds of
// value are not: a lazy one, for documents that are read where they stand (the
// directory, the request, what a with has put over either), and a collection
// that the policy is still building. Both are settled, made OPA's, before anybody
// sees them who could not tell. What a compact representation of entities buys
// over OPA's objects is told in package pip, which has one.
//
// # What is not made
//
// A collection is mostly made to be asked something, so it is asked before it is
// made OPA's: how many members it has, whether it has one, whether it equals
// another (building.go, sets.go, members.go), its sum (overMade). A loop that looks
// for one member looks it up, by the directory's index where that has one (seek.go);
// graph.reachable goes through a graph as far as it is asked for (reachable.go,
// walk.go, neighborhood.go). Machines keep what they make for the next decision
// (pool.go): terms of texts (texts.go), what dear built-ins came to (recall.go), and
// for the time of a decision what dear functions came out as (answers.go). What is
// kept is bounded in number and in size, and none of it rests on anything but the
// operands.
//
// # Places instead of frames
//
// Rego has no recursion, so a function is at work once at a time, and all locals
// of a program have places in one array that are known at activation: those of a
// function stand behind those of whoever calls it. A call passes arguments by
// setting places. Machines are used again, by all variants of a program; between
// decisions their places are cleared, and before a body those that it may look at
// before it sets them (unset.go).
//
// # Variants
//
// What a policy mostly asks is what a request is about: of a decision of the
// shipped bundles, two thirds were questions for the action and the types of the
// subject and the resource, with the same answers for every request of the kind.
// So a program makes variants of itself for the kinds that come often, while
// decisions go on (variants.go). In a variant's tree the fields are constants
// (specialise.go); what follows from them is resolved (resolve.go): conditions
// hold or do not, rules about other things are gone, built-ins of constants are
// computed, functions that are called with constants have variants of their own.
// A rule that is left with one caller becomes part of it (calls.go). Variants are
// bounded in number and in size; a policy that is asked about very many kinds of
// things finds its rules by tables instead (dispatch.go), in code that rules which
// are alike have in common (share.go), so that it stays in the processor's cache.
//
// # What may not change
//
// A pass may evaluate less, but it decides which errors are met, and an error is
// a deny. So the rules are OPA's own: what its index passes over is not evaluated
// (hoist.go, once for each body, as the policy has it; dispatch.go); what has
// yielded a constant is left (exits.go, scopes.go, every.go); a partial rule asked
// for a key is evaluated for that key alone (demand.go); a reference over rules
// and documents goes through the documents first (order.go); and nothing that may
// err is moved over something that may be undefined (inline.go). What a built-in
// does wrong makes its call undefined, and fails the evaluation when it has come
// to its end.
//
// # Limits
//
// A step is counted for each call, each element that is looked at or added, and
// for what a built-in goes through and makes (toll.go). Every few hundred, the
// machine looks at the context. Both ends are errors of the evaluation.
//
// # Explanations
//
// A decision that is to be explained is made by the ordinary program, and then
// told by a second one, with an observer at each expression of a rule and without
// the passes that skip work. It is made when it is first asked for (explain.go,
// marks.go, observe.go); the ordinary program has nothing of it.
//
// # Where it does not apply
//
// OPA's planner refuses references between rules under one prefix that has a
// variable in it, and panics on some uses of with on functions. Prepare then
// says so, and package activation has the policy run on topdown.
//
// The package does not know where the directory is kept, nor what a decision is
// made of beyond the rules it is asked for. Start with Evaluator.Prepare, then
// tree.go and passes.go.
package closure
