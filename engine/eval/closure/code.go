package closure

import (
	"slices"
	"strings"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// A coder turns a tree into code.
type coder struct {
	routines map[*function]*routine
	bases    map[*function]int
	base     int                // of the function that is coded
	inside   *function          // nil in the plan
	often    map[*function]bool // see oftenAsked
	leaves   bool               // the body that is coded is left once it has yielded
	memos    int                // how many functions have a value to remember
	static   *ast.Term
	parts    map[string]int // paths into the request, and their places
	// constants are the texts that the policy names, so that one that a request
	// has needs no term of its own.
	constants map[string]*ast.Term
	shared    map[string]step // the code of bodies; see codeText
	chains    map[chainCode]step
}

// constantsOf are the texts that stand in a tree, in small collections as well.
func constantsOf(t *tree) map[string]*ast.Term {
	constants := make(map[string]*ast.Term)
	add := func(term *ast.Term) {
		if text, isText := term.Value.(ast.String); isText {
			constants[string(text)] = term
		}
	}
	t.eachBlock(func(b *block) {
		everyExpression(b, func(e expression) {
			k, isConstant := e.(constant)
			if !isConstant {
				return
			}
			add(k.term)
			if size(k.term.Value) <= maxNamed {
				each(nil, k.term, func(key, value *ast.Term) bool {
					add(key)
					add(value)
					return true
				})
			}
		})
	})
	return constants
}

// maxNamed is how many members a collection may have for its texts to be taken
// for names that a policy uses.
const maxNamed = 100

// A routine is the code of a function. It is there before its code, so that
// calls can refer to it.
type routine struct {
	run  value
	memo int // its place among what a world has yielded, or -1
}

// encode makes the code of a tree.
func (s source) encode(t *tree) (*executable, error) { return s.encodeProfiled(t, nil) }

// encodeProfiled makes code whose machines need a meter, where the functions have the
// numbers of rules.
func (s source) encodeProfiled(t *tree, rules map[*function]int) (*executable, error) {
	bases, slots, err := layout(t)
	if err != nil {
		return nil, err
	}
	c := &coder{
		routines: make(map[*function]*routine), bases: bases, static: s.static,
		parts: make(map[string]int), constants: constantsOf(t), often: oftenAsked(t),
		shared: make(map[string]step), chains: make(map[chainCode]step),
	}
	for _, f := range t.functions {
		r := &routine{memo: -1}
		if len(f.params) == 0 {
			r.memo = c.memos
			c.memos++
		}
		c.routines[f] = r
	}
	for _, f := range t.functions {
		s.pause()
		c.inside, c.base = f, bases[f]
		run := c.function(f)
		if rule, isProfiled := rules[f]; isProfiled {
			run = metered(rule, run)
		}
		c.routines[f].run = run
	}
	c.inside, c.base = nil, 0
	plan := c.block(t.plan)
	return &executable{
		plan: plan, routines: c.routines, slots: slots, memos: c.memos, parts: len(c.parts),
		signatures: new(signatures), idle: new(sync.Pool),
	}, nil
}

// slot is the place of a local in a machine.
func (c *coder) slot(l local) int { return c.base + int(l) }

// function is the code of a function, its parameters in their places.
func (c *coder) function(f *function) value {
	if hasOneBody(f, false) && f.otherwise == nil {
		return c.oneBody(f)
	}
	result, choose := c.slot(f.result), c.choose(f)
	otherwise := func(*machine) signal { return goOn }
	if f.otherwise != nil {
		otherwise = c.body(f, f.otherwise)
	}
	var none *ast.Term
	switch f.kind {
	case setOf:
		none = empty[setKind]
	case objectOf:
		none = empty[objectKind]
	}
	absentIfEmpty := f.absentIfEmpty
	return func(m *machine) *ast.Term {
		if !m.step() {
			return nil
		}
		m.slots[result] = none
		if choose(m) == halt || otherwise(m) == halt {
			return nil
		}
		if yielded := m.slots[result]; !absentIfEmpty || yielded != none {
			return yielded
		}
		return nil
	}
}

// oneBody is the code of a function that is one body, which ends with what it
// yields: nothing can yield anything else.
func (c *coder) oneBody(f *function) value {
	body := f.rules[0].bodies[0]
	statements := body.statements
	last := len(statements) - 1
	holds := c.cleared(c.block(&block{statements[:last]}), c.unset(f, body))
	yields := c.value(statements[last].(*assignOnce).value)
	return func(m *machine) *ast.Term {
		if !m.step() {
			return nil
		}
		if holds(m) != goOn {
			return nil
		}
		return yields(m)
	}
}

// choose is the code that runs the rules of a function which may apply.
func (c *coder) choose(f *function) step {
	if f.dispatch != nil {
		return c.dispatch(f, f.dispatch, nil, true)
	}
	all := make([]int, len(f.rules))
	for i := range all {
		all[i] = i
	}
	return c.inTurn(f, &dispatch{rules: all}, nil, true)
}

// dispatch is the code of a table, for requests of which some subjects are as the
// rules ask. Indexed is whether OPA's index looks at all of them.
func (c *coder) dispatch(f *function, d *dispatch, subjects []string, indexed bool) step {
	if d.subject == nil {
		return c.inTurn(f, d, subjects, indexed)
	}
	indexed = indexed && !d.ours
	found := append(slices.Clone(subjects), d.key)
	subject := c.value(d.subject)
	var branches scalars[step]
	for _, b := range d.byValue {
		branches.put(b.value, c.dispatch(f, b.to, found, indexed))
	}
	otherwise := c.dispatch(f, d.otherwise, subjects, indexed)
	byName := func(m *machine, text string) signal {
		if to := branches.byText[text]; to != nil {
			return to(m)
		}
		return otherwise(m)
	}
	byValue := func(m *machine) signal {
		value := subject(m)
		if value == nil {
			if m.err != nil {
				return halt
			}
			return otherwise(m)
		}
		if to, found := branches.get(value); found {
			return to(m)
		}
		return otherwise(m)
	}
	text := c.text(d.subject)
	if text == nil {
		return byValue
	}
	return func(m *machine) signal {
		if name, isText := text(m); isText {
			return byName(m, name)
		}
		return byValue(m)
	}
}

// inTurn is the code of the rules of a leaf, one after another. Where all that OPA
// tries yield the same, the first that yields is enough.
func (c *coder) inTurn(f *function, leaf *dispatch, subjects []string, indexed bool) step {
	rules := chains(f.rules, leaf.rules)
	steps := make([]step, len(rules))
	for i, rule := range rules {
		steps[i] = c.chain(f, rule, subjects)
	}
	if len(steps) == 1 {
		return steps[0]
	}
	if !indexed {
		rules = f.rules
	}
	return c.oneAfterAnother(steps, leaf.filter, c.slot(f.result), uniform(rules) && !f.mixed)
}

// oneAfterAnother is the code that tries bodies in turn, of which a filter, if there
// is one, finds those that may apply. Where enough is set, the first that yields is.
func (c *coder) oneAfterAnother(bodies []step, x *filter, result int, enough bool) step {
	all := func(m *machine) signal {
		for _, body := range bodies {
			if body(m) == halt {
				return halt
			}
			if enough && m.slots[result] != nil {
				break
			}
		}
		return goOn
	}
	if x != nil {
		return c.filtered(x, bodies, all, result, enough)
	}
	return all
}

// chain is the code of a rule and its elses, for requests of which some subjects
// are as it asks.
func (c *coder) chain(f *function, rule *chain, subjects []string) step {
	subjects = askedFor(f, rule, subjects)
	id := chainCode{rule, strings.Join(subjects, "\x01")}
	if known := c.chains[id]; known != nil {
		return known
	}
	c.leaves = rule.constant != nil
	code := c.bodies(f, rule, subjects)
	c.leaves = false
	c.chains[id] = code
	return code
}

// A chainCode tells the code of a rule from that which is left of it behind a
// table.
type chainCode struct {
	rule     *chain
	subjects string
}

// bodies is the code of a rule and its elses.
func (c *coder) bodies(f *function, rule *chain, subjects []string) step {
	if len(rule.bodies) == 1 {
		return c.body(f, pastTable(f, rule.bodies[0], subjects)) // see yieldDirectly
	}
	bodies := make([]step, len(rule.bodies))
	for i, body := range rule.bodies {
		bodies[i] = c.body(f, body)
	}
	yield, result := c.slot(rule.yield), c.slot(f.result)
	conflict := c.conflict(f, rule.at)
	choose := c.oneAfterAnother(bodies, rule.filter, yield, true)
	return func(m *machine) signal {
		m.slots[yield] = nil
		if choose(m) == halt {
			return halt
		}
		yielded := m.slots[yield]
		switch earlier := m.slots[result]; {
		case yielded == nil:
		case earlier == nil:
			m.slots[result] = yielded
		case !same(m, earlier, yielded):
			return conflict(m)
		}
		return goOn
	}
}

// same reports whether two values are equal.
func same(m *machine, a, b *ast.Term) bool {
	if a == b {
		return true
	}
	if x, isText := a.Value.(ast.String); isText {
		if y, areTexts := b.Value.(ast.String); areTexts {
			return x == y
		}
	}
	if x, y, are := setsOf(a, b); are {
		if equal, known := x.equals(m, y); known {
			return equal
		}
	}
	a, b = settle(m, a), settle(m, b)
	return a != nil && b != nil && comparing(m, operands{a, b}) && native.Equal(a, b)
}

// conflict is a step that ends the evaluation because a function has yielded
// two values.
func (c *coder) conflict(f *function, at *ast.Location) step {
	message := "rule produced conflicting values"
	switch {
	case f == nil:
	case len(f.first().params) > 0:
		message = "function " + ruleName(f) + " produced conflicting values for the same inputs"
	default:
		message = "rule " + ruleName(f) + " produced conflicting values"
	}
	return failure(topdown.ConflictErr, message, at)
}

// failure is a step that ends the evaluation with an error of OPA's code.
func failure(code, message string, at *ast.Location) step {
	err := &topdown.Error{Code: code, Message: message, Location: at}
	return func(m *machine) signal {
		m.fail(err)
		return halt
	}
}

// ruleName is the name of a function in Rego: the plan's, without what it puts
// before it to tell what a with has changed.
func ruleName(f *function) string {
	for i := range f.name {
		if f.name[i] == '.' {
			return f.name[i+1:]
		}
	}
	return f.name
}

// block is the code of statements in order.
func (c *coder) block(b *block) step {
	steps := make([]step, len(b.statements))
	for i, s := range b.statements {
		steps[i] = c.statement(s)
	}
	return sequence(steps)
}

// sequence is steps in order, until one does not hold.
func sequence(steps []step) step {
	switch len(steps) {
	case 0:
		return func(*machine) signal { return goOn }
	case 1:
		return steps[0]
	case 2:
		first, second := steps[0], steps[1]
		return func(m *machine) signal {
			if s := first(m); s != goOn {
				return s
			}
			return second(m)
		}
	default:
		return func(m *machine) signal {
			for _, step := range steps {
				if s := step(m); s != goOn {
					return s
				}
			}
			return goOn
		}
	}
}
