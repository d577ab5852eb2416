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
//	decision.go     decide     what the rules yield, without the query around them
//	tree.go, visit.go          what a tree consists of, and how one goes through it
//	passes.go       optimise   the passes, in order, each in a file of its own
//	specialise.go   specialise the tree for requests of a kind, see Variants
//	layout.go       layout     a place for every local
//	code.go, …      encode     the tree as closures: functions, statements.go, expressions.go
//	executable.go   run        a machine runs the code
//	evaluator.go    Eval       from request to output
//
// Take the policy
//
//	allow if {
//		input.action.name == "read"
//		"nurse" in user.attributes.roles
//	}
//	user := data.directory.user[input.subject.id]
//
// Each name is a function of the plan. The first is planned as follows, and the
// second in as many steps, with a block around what rules might define below
// data.directory.user:
//
//	reset l1                              l1 is what the rule yields
//	l2 = input["action"]; l3 = l2["name"]
//	equal l3, "read"                      what does not hold ends its block
//	l4 = user()
//	l5 = l4["attributes"]; l6 = l5["roles"]; l7 = l6
//	l8 = internal.member_2("nurse", l7)
//	differ l8, false
//	assign once l1, true                  another value would be a conflict
//
// A tree has expressions where the plan has such chains (inline.go), so that only
// conditions and results are statements; and a rule that is called in one place
// becomes part of its caller (calls.go). All that is left of the policy, with the
// query around it, is
//
//	equal input["action"]["name"], "read"
//	differ internal.member_2("nurse", data["directory"]["user"][input["subject"]["id"]]["attributes"]["roles"]), false
//	l0 = true
//
// and for requests to read the first statement is gone as well (TestWhatIsLeft).
//
// A statement becomes a step, a func(*machine) that returns a signal: go on, or
// end so many blocks. An expression becomes a value, a func(*machine) that
// returns a term, or nil where it is undefined. Nothing is looked up by name when
// they run, but for what a request asks to be looked up: above, the action is a
// field of the request, which is compared as a Go string (input.go); the path into
// data is a read of one entity and of one of its attributes (path.go); and whether
// the nurse is in a list is asked where the list stands (membership.go).
//
// # Values
//
// Values are OPA's own terms, so that nothing is converted at the border of a
// built-in, and what a policy yields compares as OPA compares it. Two kinds of
// value are not: a lazy one (lazy.go), for documents that are read where they stand
// (the directory, what a request brings, what a with has put over either), and a
// collection that the policy is still building (building.go). Both are settled, made
// OPA's, before anybody sees them who could not tell (settle.go). What a compact
// representation of entities buys over OPA's objects is told in package pip, which
// has one.
//
// The built-ins that policies mostly use are computed by package native, without
// OPA's calling convention, and the others by OPA's own; those of which only the
// truth is asked for yield no term at all (builtins.go).
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
// # What is not evaluated
//
// A policy has many rules, of which few are about a request. So what OPA's index
// would look at comes first in each body (hoist.go); rules that ask for the same
// thing of the request are found by a table of its values (dispatch.go, guards.go);
// and of many rules, those are passed over that an attribute in the directory rules
// out, how a text begins or ends, or what a list has in it (filters.go, trace.go).
// Rules that are alike otherwise have their code in common, so that it stays in the
// processor's cache (share.go). A partial rule that is asked for a key is a function
// of the key: it compares as soon as the key is known, and makes no set of the
// others (demand.go). A body, a loop or a list of rules is left when nothing that
// is still to come could change the outcome (exits.go, scopes.go, every.go). What
// depends on the bundle alone is evaluated at activation (static.go, constants.go).
//
// # What is not made
//
// A collection is mostly made to be asked something, so it is asked before it is
// made OPA's: how many members it has, whether it has one, whether it equals
// another (building.go, sets.go, membership.go), its sum (overMade). A loop that looks
// for one member looks it up, by the directory's index where that has one (seek.go);
// graph.reachable goes through a graph as far as it is asked for (reachable.go,
// walk.go, neighborhood.go).
//
// # What is not done twice
//
// What a rule without arguments yields is remembered for as long as the documents
// stay the same, a with being another world (world.go), and so are the last answers
// of functions that are dear and asked often (answers.go). From one decision to the
// next, machines keep what they make (pool.go), terms of short texts (texts.go), and
// what dear built-ins came to (recall.go). What is kept is bounded in number and in
// size, and none of it rests on anything but the operands.
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
// Variants are bounded in number and in size: a policy whose tables tell very many
// kinds of requests apart has none, and is quick by its tables.
//
// # What may not change
//
// A pass may evaluate less, but it decides which errors are met, and an error is
// a deny. So the rules are OPA's own: what its index passes over is not evaluated,
// once for each body, as the policy has it; what has yielded a constant that the
// policy writes out is left; a partial rule asked for a key is evaluated for that
// key alone; a reference over rules and documents goes through the documents first
// (order.go); and nothing that may err is moved over something that may be
// undefined (inline.go, errors.go). What a built-in does wrong makes its call
// undefined, and fails the evaluation when it has come to its end.
//
// # Limits
//
// A step is counted for each call, each element that is looked at or added, and
// for what a built-in goes through and makes (toll.go, weight.go, growth.go). Every
// few hundred, the machine looks at the context. Both ends are errors of the
// evaluation.
//
// # Explanations
//
// A decision that is to be explained is made by the ordinary program, and then
// told by a second one, with an observer at each expression of a rule and without
// the passes that leave out work or change its order: a rule that a table would
// have passed over is to say what it asks for. It does have demand.go, for a rule
// that is asked for one key is to tell of that key, and order.go, for of several
// attempts that came as far the first is told. The second program is made when it
// is first asked for (explain.go, marks.go, observe.go); the ordinary one has
// nothing of it. What two evaluators may tell differently is told in package
// explain.
//
// # Profiles
//
// What rules cost is told by a program of its own as well, in which each rule is a
// function still, with a clock around it (profile.go). It is made when somebody first
// asks, and answers nobody.
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
