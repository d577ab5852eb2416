package rego

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// clock is the one built-in that OPA flags as not deterministic and that every
// policy may call: it returns the decision's time, which is recorded.
const clock = "time.now_ns"

// fetches is the built-in that reaches any host. Turning it on lets JSON
// schemas be fetched as well.
const fetches = "http.send"

// unflagged are the built-ins that are not deterministic without being flagged
// so by OPA: they verify certificates at the time of the machine's clock (the
// one with options only where CurrentTime is none of them).
var unflagged = []string{
	"crypto.x509.parse_and_verify_certificates",
	"crypto.x509.parse_and_verify_certificates_with_options",
}

// gated are the built-ins that are off unless they are turned on: those that
// OPA flags as not deterministic, which those that reach the network are too,
// and those that it should.
func gated() map[string]bool {
	names := make(map[string]bool)
	for _, b := range ast.Builtins {
		if b.Nondeterministic && b.Name != clock {
			names[b.Name] = true
		}
	}
	for _, name := range unflagged {
		names[name] = true
	}
	return names
}

// capabilities are OPA's, without the gated built-ins that were not turned on.
func capabilities(turnedOn []string) (*ast.Capabilities, error) {
	all := ast.CapabilitiesForThisVersion()
	off := gated()
	var errs []error
	for i, name := range turnedOn {
		if !off[name] {
			errs = append(errs, authz.InvalidField(fmt.Sprintf("builtins[%d]", i), "%s", notGated(name, all)))
		}
	}
	if err := authz.JoinInvalid(errs); err != nil {
		return nil, err
	}
	for _, name := range turnedOn {
		delete(off, name)
	}
	all.Builtins = slices.DeleteFunc(all.Builtins, func(b *ast.Builtin) bool { return off[b.Name] })
	if off[fetches] {
		all.AllowNet = []string{}
	}
	return all, nil
}

// notGated says what to do about a name that cannot be turned on.
func notGated(name string, all *ast.Capabilities) string {
	if all.ContainsBuiltin(name) {
		return name + " is always on: take it out"
	}
	names := slices.Sorted(maps.Keys(gated()))
	text := "there is no built-in " + authz.Quote(name) + ": "
	if near := nearest(name, names); near != "" {
		text += "did you mean " + near + "? "
	}
	return text + "these can be turned on: " + strings.Join(names, ", ")
}

// nearest is the name that takes the fewest changed letters, where those are
// few enough for a slip.
func nearest(name string, names []string) string {
	best, fewest := "", 1+len(name)/3
	for _, candidate := range names {
		if d := distance(name, candidate); d <= fewest && (best == "" || d < fewest) {
			best, fewest = candidate, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two names.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
