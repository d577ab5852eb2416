package residual

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A Formula is a condition made of others.
type Formula struct {
	Op FormulaOp
	// Of are the parts of All and AnyOf, and the one of None.
	Of []Formula
	// Condition is what stands at Holds.
	Condition *Condition
}

// FormulaOp says how a formula is made.
type FormulaOp uint8

// How a formula is made.
const (
	Never FormulaOp = iota
	Always
	All   // of its parts hold
	AnyOf // its parts holds
	None  // its part does not hold
	Holds // the condition does
)

// A Condition is one test of the entity that is not known. One of an attribute
// that the entity does not have does not hold, and so holds negated; a comparison
// knows no third value.
type Condition struct {
	Op Op
	// Path leads to the attribute, below attributes.
	Path []string
	// Values are what it is compared with: nil, bool, string or json.Number.
	Values []any
	// How and Other are the comparison of a Both, which has no Values, and the path
	// of its other attribute, below attributes.
	How   Op
	Other []string
	// Negated turns the condition around. It is used in a Conjunction alone;
	// formulas have None.
	Negated bool
	text    string // without Negated
	// Reason has the place in the policy, and of what was not recognised why.
	Reason
}

// Op is what a condition tests.
type Op string

// What conditions test.
const (
	// IDIn: the id is one of the values, all strings.
	IDIn Op = "id in"
	// In: the attribute equals one of the values.
	In Op = "in"
	// NotEqual: the attribute is there and differs from the value. Other than
	// In negated, it does not hold for an entity without the attribute.
	NotEqual Op = "!="
	// Less and the others compare the attribute with the value in Rego's order
	// of values of all types: null, booleans, numbers, strings by their bytes,
	// arrays, objects.
	Less           Op = "<"
	LessOrEqual    Op = "<="
	Greater        Op = ">"
	GreaterOrEqual Op = ">="
	// Both: the attribute and another are there, and compare with each other as
	// How says, which is one of In, for equality, NotEqual, Less and the others.
	Both Op = "compares"
	// Has: the attribute is an array with one of the values as an element, or
	// an object with one as the value of a member.
	Has Op = "has"
	// Defined: the entity has the attribute.
	Defined Op = "defined"
	// Is: the attribute is of the type that the value names: null, boolean,
	// number, string, array or object.
	Is Op = "is"
	// StartsWith, EndsWith and Contains: the attribute is a string that does,
	// the value. On another type the policy fails, and the decision denies.
	StartsWith Op = "starts with"
	EndsWith   Op = "ends with"
	Contains   Op = "contains"
	// Ancestor: one of the values, refs, is the entity or above it.
	Ancestor Op = "ancestor"
	// AncestorStartsWith: the ref of the entity or of an ancestor starts with
	// the value, such as "organization:".
	AncestorStartsWith Op = "ancestor starts with"
	// Parent: one of the values, refs, is a parent of the entity.
	Parent Op = "parent"
	// GrantOn: the entity, or one above it, is the subject of a grant on one of
	// the values, the refs of scopes.
	GrantOn Op = "grant on"
	// Unrecognised: it may hold or not.
	Unrecognised Op = "unrecognised"
)

// ofOne is what is tested, for people, where it is compared with one value.
func (op Op) ofOne() string {
	if op == In || op == IDIn {
		return strings.TrimSuffix(string(op), "in") + "=="
	}
	return string(op)
}

// attribute is an attribute, no two the same.
func attribute(path []string) string {
	var text strings.Builder
	text.WriteString("attributes")
	for _, name := range path {
		if strings.ContainsFunc(name, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) || name == "" {
			fmt.Fprintf(&text, "[%q]", name)
		} else {
			text.WriteString("." + name)
		}
	}
	return text.String()
}

// String is the condition for people.
func (c Condition) String() string {
	var text strings.Builder
	if c.Negated {
		text.WriteString("not ")
	}
	if len(c.Path) > 0 {
		text.WriteString(attribute(c.Path) + " ")
	}
	if c.Op == Both {
		text.WriteString(c.How.ofOne() + " " + attribute(c.Other))
	} else if len(c.Values) == 1 {
		text.WriteString(c.Op.ofOne())
	} else {
		text.WriteString(string(c.Op))
	}
	if c.Op == Unrecognised {
		text.WriteString(": " + c.Why)
	}
	for i, value := range c.Values {
		separator := ", "
		if i == 0 {
			separator = " "
		}
		json, _ := json.Marshal(value) // of scalars
		text.WriteString(separator + string(json))
	}
	return text.String()
}

// String is the formula for people.
func (f Formula) String() string {
	switch f.Op {
	case Never:
		return "never"
	case Always:
		return "always"
	case None:
		return "not (" + f.Of[0].String() + ")"
	case Holds:
		return f.Condition.String()
	}
	joint := " or "
	if f.Op == All {
		joint = " and "
	}
	parts := make([]string, len(f.Of))
	for i, part := range f.Of {
		if parts[i] = part.String(); part.Op == All || part.Op == AnyOf {
			parts[i] = "(" + parts[i] + ")"
		}
	}
	return strings.Join(parts, joint)
}

// Unrecognised are the conditions of the formula that were not recognised.
func (f Formula) Unrecognised() []Condition {
	if f.Op == Holds && f.Condition.Op == Unrecognised {
		return []Condition{*f.Condition}
	}
	var all []Condition
	for _, part := range f.Of {
		all = append(all, part.Unrecognised()...)
	}
	return all
}

var (
	never  = Formula{Op: Never}
	always = Formula{Op: Always}
)

func truth(holds bool) Formula {
	if holds {
		return always
	}
	return never
}

func holds(c Condition) Formula {
	c.text = c.String()
	return Formula{Op: Holds, Condition: &c}
}

func not(f Formula) Formula {
	switch f.Op {
	case Never:
		return always
	case Always:
		return never
	case None:
		return f.Of[0]
	}
	return Formula{Op: None, Of: []Formula{f}}
}

func and(parts ...Formula) Formula {
	f := joined(All, always, never, parts)
	if f.Op == All {
		f.Of = slices.DeleteFunc(slices.Clone(f.Of), func(part Formula) bool { return slices.ContainsFunc(f.Of, part.followsFrom) })
		if len(f.Of) == 1 {
			return f.Of[0]
		}
	}
	return f
}

// followsFrom reports whether an attribute is there for another condition on it, or
// on what is in it, to hold.
func (f Formula) followsFrom(other Formula) bool {
	if f.Op != Holds || f.Condition.Op != Defined || other.Op != Holds || len(other.Condition.Path) < len(f.Condition.Path) {
		return false
	}
	deeper := len(other.Condition.Path) > len(f.Condition.Path)
	return (deeper || other.Condition.Op != Defined) && slices.Equal(f.Condition.Path, other.Condition.Path[:len(f.Condition.Path)])
}

func or(parts ...Formula) Formula {
	f := joined(AnyOf, never, always, parts)
	if f.Op == AnyOf {
		f.Of = merged(f.Of)
		if len(f.Of) == 1 {
			return f.Of[0]
		}
	}
	return f
}

// joined are parts under an operation, which neutral does not change and which
// absorbing decides.
func joined(op FormulaOp, neutral, absorbing Formula, parts []Formula) Formula {
	var flat []Formula
	for _, part := range parts {
		switch part.Op {
		case neutral.Op:
		case absorbing.Op:
			return absorbing
		case op:
			flat = append(flat, part.Of...)
		default:
			flat = append(flat, part)
		}
	}
	flat = distinct(flat)
	switch len(flat) {
	case 0:
		return neutral
	case 1:
		return flat[0]
	}
	return Formula{Op: op, Of: flat}
}

// distinct leaves out what was there before.
func distinct(parts []Formula) []Formula {
	seen := make(map[string]bool)
	return slices.DeleteFunc(parts, func(f Formula) bool {
		text := f.String()
		again := seen[text]
		seen[text] = true
		return again
	})
}

// merged are alternatives, those that compare the same with values in one.
func merged(parts []Formula) []Formula {
	var all []Formula
	at := make(map[string]int)
	values := make(map[int][]any)
	seen := make(map[int]map[any]bool)
	for _, part := range parts {
		if part.Op != Holds || !slices.Contains([]Op{IDIn, In, Has, Ancestor, Parent, GrantOn}, part.Condition.Op) {
			all = append(all, part)
			continue
		}
		key := fmt.Sprintf("%s %q", part.Condition.Op, part.Condition.Path)
		i, again := at[key]
		if !again {
			i = len(all)
			at[key], seen[i] = i, make(map[any]bool)
			all = append(all, part)
		}
		for _, value := range part.Condition.Values {
			if !seen[i][value] {
				seen[i][value] = true
				values[i] = append(values[i], value)
			}
		}
	}
	for i, together := range values {
		if len(together) > len(all[i].Condition.Values) {
			both := *all[i].Condition
			both.Values = together
			all[i] = holds(both)
		}
	}
	return all
}

// maxAlternatives is how many alternatives a formula may come to.
const maxAlternatives = 256

// alternatives are those of the formula, or of its negation. What they would be too
// many of, and those beside one that may be anything, are one that is not
// recognised.
func (f Formula) alternatives(negated bool) []Conjunction {
	switch f.Op {
	case Holds:
		c := *f.Condition
		c.Negated = negated && c.Op != Unrecognised
		return []Conjunction{{c}}
	case None:
		return f.Of[0].alternatives(!negated)
	case Always, Never:
		if (f.Op == Always) != negated {
			return []Conjunction{{}}
		}
		return nil
	}
	if (f.Op == AnyOf) != negated {
		var any []Conjunction
		for _, part := range f.Of {
			for _, c := range part.alternatives(negated) {
				if c.mayBeAnything() {
					return []Conjunction{c}
				}
				any = append(any, c)
			}
		}
		return few(any)
	}
	any := []Conjunction{{}}
	for _, part := range f.Of {
		more := part.alternatives(negated)
		if len(any)*len(more) > 16*maxAlternatives {
			more = common(more)
		}
		var both []Conjunction
		for _, left := range any {
			for _, right := range more {
				if joint, possible := left.with(right); possible {
					both = append(both, joint)
				}
			}
		}
		any = few(both)
	}
	return any
}

// few are the alternatives, or where they are too many what all of them have in
// common.
func few(any []Conjunction) []Conjunction {
	if len(any) <= maxAlternatives {
		return any
	}
	return common(any)
}

func common(any []Conjunction) []Conjunction {
	shared := slices.DeleteFunc(slices.Clone(any[0]), func(c Condition) bool {
		return slices.ContainsFunc(any, func(other Conjunction) bool {
			return !slices.ContainsFunc(other, func(d Condition) bool { return c.text == d.text && c.Negated == d.Negated })
		})
	})
	return []Conjunction{append(shared, *holds(Condition{Op: Unrecognised, Reason: Reason{Why: "the conditions come to more than 256 alternatives"}}).Condition)}
}

// mayBeAnything reports whether none of the conditions was recognised.
func (c Conjunction) mayBeAnything() bool {
	return !slices.ContainsFunc(c, func(c Condition) bool { return c.Op != Unrecognised })
}

// with are the conditions of both; possible is false where one is the negation of
// another.
func (c Conjunction) with(other Conjunction) (joint Conjunction, possible bool) {
	joint = slices.Clone(c)
	for _, added := range other {
		again := false
		for _, have := range c {
			if have.text == added.text {
				if again = have.Negated == added.Negated; !again {
					return nil, false
				}
				break
			}
		}
		if !again {
			joint = append(joint, added)
		}
	}
	return joint, true
}
