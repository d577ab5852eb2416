package explain

import (
	"cmp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// rank orders the rules that failed, of a ref and of what those rest on where
// they failed, by how close they came.
func (f *finder) rank(allow ast.Ref) {
	r := &ranker{finder: f, seen: make(map[*finding]bool)}
	for _, p := range f.meeting(allow) {
		r.closest(p)
	}
	place := make(map[*finding]int)
	for i, found := range f.ordered {
		place[found] = i
	}
	slices.SortFunc(r.failed, func(a, b *finding) int {
		return cmp.Or(cmp.Compare(b.closeness, a.closeness), cmp.Compare(place[a], place[b]))
	})
	for i, found := range r.failed {
		found.rank = i + 1
	}
}

type ranker struct {
	*finder
	failed []*finding
	seen   map[*finding]bool
}

// closest is how close the closest rule of a path came that failed, from 0 to 1.
func (r *ranker) closest(p *path) float64 {
	most := 0.0
	for _, found := range p.findings {
		if !found.held && !found.erred && found.failed != nowhere {
			most = max(most, r.closeness(found))
		}
	}
	return most
}

// closeness is the share of a rule's expressions that held. The one that failed
// counts as much as the closest rule that it asks for, unless it asks that there
// be none.
func (r *ranker) closeness(found *finding) float64 {
	if r.seen[found] {
		return found.closeness
	}
	r.seen[found] = true
	r.failed = append(r.failed, found)
	expressions := len(found.Rule.expressions)
	if expressions == 0 {
		return 0
	}
	inner := 0.0
	if expression := found.Rule.expression(found.failed); expression != nil && !expression.negated {
		for _, p := range r.askedBy(found) {
			inner = max(inner, r.closest(p))
		}
	}
	found.closeness = (float64(found.passed()) + inner) / float64(expressions)
	return found.closeness
}
