// Package closure evaluates policies by compiling them: OPA's intermediate
// representation of a policy becomes a tree, a few passes make the tree
// smaller, and the tree becomes Go closures over places in a machine, which a
// decision runs.
//
// What topdown answers is right by definition; package evaltest holds this
// evaluator to it.
//
// Start with Evaluator.Prepare, then decode and tree.go, then code.go.
package closure
