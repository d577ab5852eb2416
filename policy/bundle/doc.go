// Package bundle reads policy: Rego modules, static data and a revision, in
// OPA's bundle format, from a directory, an archive (.tar.gz) or an fs.FS.
//
// What it reads is outside input: sizes and numbers are bounded, an archive
// cannot reach beyond itself, and every fault is reported with its file and
// line, several at once. A bundle may not reach into data.directory, which
// belongs to the directory.
//
// The package parses and does not compile; it knows no tenant, no store and no
// evaluator. Signatures (.signatures.json) are not looked at.
//
// Start with Read, then read in parse.go.
package bundle
