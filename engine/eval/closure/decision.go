package closure

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/policy/rego"
)

// decide takes the rules of a decision out of the plan of rego.Policy.Query,
// which collects what each yields in an array, and all of them in an object. It
// returns the locals that hold what the rules yield instead, in the order of
// rego.Rules; -1 for a rule that there is none of.
func decide(plan *block) (yields [len(rego.Rules)]local, err error) {
	for i := range yields {
		yields[i] = -1
	}
	kept := plan.statements[:0]
	copies := make(map[local]local)
	collected := make(map[local]bool)
	for _, s := range plan.statements {
		switch s := s.(type) {
		case *keep:
			from, isRead := s.value.(read)
			if !isRead {
				return yields, fmt.Errorf("the query of a decision copies what is no local")
			}
			copies[s.to] = from.from
		case *create, *result:
		case *insert:
			if err := take(s, copies, &yields); err != nil {
				return yields, err
			}
		case *group:
			into, err := scalar(s)
			if err != nil {
				return yields, err
			}
			collected[into] = true
			kept = append(kept, s)
		default:
			return yields, fmt.Errorf("the query of a decision has a statement of type %T", s)
		}
	}
	plan.statements = kept
	for _, l := range yields {
		if l >= 0 && !collected[l] {
			return yields, fmt.Errorf("the query of a decision does not collect what a rule yields")
		}
	}
	return yields, nil
}

// take notes which local the object of answers has under a rule's name.
func take(s *insert, copies map[local]local, yields *[len(rego.Rules)]local) error {
	name, isConstant := s.key.(constant)
	from, isRead := s.value.(read)
	if !isConstant || !isRead {
		return fmt.Errorf("the query of a decision has another form than the answers of its rules")
	}
	for i, rule := range rego.Rules {
		if name.term.Value == ast.Value(ast.String(rule)) {
			yields[i] = from.from
			if original, isCopy := copies[from.from]; isCopy {
				yields[i] = original
			}
			return nil
		}
	}
	return fmt.Errorf("the query of a decision asks for %v, which is no rule of one", name.term)
}

// scalar makes a group that adds a rule's value to an array set the array's
// local to the value instead, and returns the local.
func scalar(g *group) (local, error) {
	if len(g.blocks) != 1 {
		return 0, fmt.Errorf("the query of a decision has a group of %d blocks", len(g.blocks))
	}
	statements := g.blocks[0].statements
	if len(statements) == 0 {
		return 0, fmt.Errorf("the query of a decision has an empty group")
	}
	last, isAppend := statements[len(statements)-1].(*appendTo)
	if !isAppend {
		return 0, fmt.Errorf("the query of a decision has a group that collects nothing")
	}
	statements[len(statements)-1] = &assign{to: last.array, value: last.value}
	return last.array, nil
}
