package closure

import (
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// yieldsOf takes rules out of the plan of rego.Policy.Query or RuleQuery, which
// collects what each yields in an array, and all of them in an object under their
// names. It returns the locals that hold what the rules yield instead, in the order
// of the names; -1 for a rule that there is none of. The locals are the tree's
// answers.
func yieldsOf(t *tree, names []string) ([]local, error) {
	yields, err := t.plan.yields(names)
	t.answers = make(map[local]bool)
	for _, l := range yields {
		t.answers[l] = true
	}
	return yields, err
}

func (plan *block) yields(names []string) ([]local, error) {
	yields := slices.Repeat([]local{-1}, len(names))
	kept := plan.statements[:0]
	copies := make(map[local]local)
	collected := make(map[local]bool)
	for _, s := range plan.statements {
		switch s := s.(type) {
		case *keep:
			from, isRead := s.value.(read)
			if !isRead {
				return nil, fmt.Errorf("the query of rules copies what is no local")
			}
			copies[s.to] = from.from
		case *create, *result:
		case *insert:
			if err := take(s, copies, names, yields); err != nil {
				return nil, err
			}
		case *group:
			into, err := scalar(s)
			if err != nil {
				return nil, err
			}
			collected[into] = true
			kept = append(kept, s)
		default:
			return nil, fmt.Errorf("the query of rules has a statement of type %T", s)
		}
	}
	plan.statements = kept
	for _, l := range yields {
		if l >= 0 && !collected[l] {
			return nil, fmt.Errorf("the query of rules does not collect what a rule yields")
		}
	}
	return yields, nil
}

// take notes which local the object of answers has under a rule's name.
func take(s *insert, copies map[local]local, names []string, yields []local) error {
	name, isConstant := s.key.(constant)
	from, isRead := s.value.(read)
	if !isConstant || !isRead {
		return fmt.Errorf("the query of rules has another form than the answers of its rules")
	}
	for i, rule := range names {
		if name.term.Value == ast.Value(ast.String(rule)) {
			yields[i] = from.from
			if original, isCopy := copies[from.from]; isCopy {
				yields[i] = original
			}
			return nil
		}
	}
	return fmt.Errorf("the query of rules asks for %v, which is none of them", name.term)
}

// scalar makes a group that adds a rule's value to an array set the array's
// local to the value instead, and returns the local.
func scalar(g *group) (local, error) {
	if len(g.blocks) != 1 {
		return 0, fmt.Errorf("the query of rules has a group of %d blocks", len(g.blocks))
	}
	statements := g.blocks[0].statements
	if len(statements) == 0 {
		return 0, fmt.Errorf("the query of rules has an empty group")
	}
	last, isAppend := statements[len(statements)-1].(*appendTo)
	if !isAppend {
		return 0, fmt.Errorf("the query of rules has a group that collects nothing")
	}
	statements[len(statements)-1] = &assign{to: last.array, value: last.value}
	return last.array, nil
}
