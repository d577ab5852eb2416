package scenario

import (
	"fmt"
	"math/rand/v2"
)

const (
	hierarchyDepth = 20
	hierarchyWidth = 64 // departments of a level, once there is room for so many
	reports        = 2_000
)

// A hierarchy is departments on levels, each below one of the level above.
type hierarchy struct {
	builder
	random *rand.Rand
	widths []int // departments of each level
}

// newDepartmentsInDirectory is newDepartments with what the directory knows of
// the hierarchy.
func newDepartmentsInDirectory() (*World, error) {
	w, err := newDepartments("departments-ancestors")
	if err != nil {
		return nil, err
	}
	w.Cedar, err = cedarPolicy("departments-ancestors", "heads", "department")
	return w, err
}

// newDepartmentsInData is newDepartments with the hierarchy in the bundle's
// data.
func newDepartmentsInData() (*World, error) { return newDepartments("departments-reachable") }

// newDepartments makes a world with reports below a hierarchy of departments,
// which stand in the directory and in the bundle's data.
func newDepartments(policyName string) (*World, error) {
	b, err := policy(policyName)
	if err != nil {
		return nil, err
	}
	h := &hierarchy{random: newRandom(5)}
	above := make(map[string]any)
	for level := range hierarchyDepth {
		h.widths = append(h.widths, min(1<<level, hierarchyWidth))
		for i := range h.widths[level] {
			var parents []string
			directly := []any{}
			if level > 0 {
				parents = []string{unit(level-1, h.parent(level, i))}
				directly = append(directly, parents[0])
			}
			h.add(unit(level, i), nil, parents...)
			above[unit(level, i)] = directly
			h.add(head(level, i), attributes{"heads": unit(level, i)})
		}
	}
	const lowest = hierarchyDepth - 1
	for i := range reports {
		department := unit(lowest, i%h.widths[lowest])
		h.add(report(i), attributes{"department": department}, department)
	}
	b.Data = map[string]any{"departments": above}
	questions, err := ask(h.random, func() Question { return h.question(true) }, func() Question { return h.question(false) })
	return &World{Tenant: "departments", Bundle: b, Entities: h.entities, Now: now(), Questions: questions}, err
}

// parent is the department, of the level above, that department i is below.
func (h *hierarchy) parent(level, i int) int { return i % h.widths[level-1] }

// question asks for the head of a department above a report, or beside it.
func (h *hierarchy) question(above bool) Question {
	r, level := h.random.IntN(reports), 1+h.random.IntN(hierarchyDepth-1)
	i := r % h.widths[hierarchyDepth-1]
	for l := hierarchyDepth - 1; l > level; l-- {
		i = h.parent(l, i)
	}
	if !above {
		return no("departments", head(level, other(h.random, h.widths[level], i)), "read", report(r), nil)
	}
	return yes("departments", head(level, i), "read", report(r), nil)
}

func unit(level, i int) string { return fmt.Sprintf("department:l%02d-%02d", level, i) }
func head(level, i int) string { return fmt.Sprintf("user:head-l%02d-%02d", level, i) }
func report(i int) string      { return fmt.Sprintf("report:r%04d", i) }
