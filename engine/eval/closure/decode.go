package closure

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/ir"
)

// decode makes a tree of a plan. It resolves every index and name, and finds
// again the rules that OPA's planner has laid out as blocks of a function. A
// plan of another form is refused.
func decode(policy *ir.Policy) (*tree, error) {
	if len(policy.Plans.Plans) != 1 {
		return nil, fmt.Errorf("the plan has %d queries: expected 1", len(policy.Plans.Plans))
	}
	d := &decoder{policy: policy, builtins: make(map[string]*ir.BuiltinFunc), byName: make(map[string]*function), parameters: make(map[string]int), terms: make(map[int]*ast.Term), places: make(map[placeKey]*ast.Location)}
	for _, builtin := range policy.Static.BuiltinFuncs {
		d.builtins[builtin.Name] = builtin
	}
	t := &tree{}
	for _, planned := range policy.Funcs.Funcs {
		f := &function{name: planned.Name, path: planned.Path}
		d.byName[planned.Name] = f
		d.parameters[planned.Name] = len(planned.Params) - documentLocals
		t.functions = append(t.functions, f)
	}
	for i, planned := range policy.Funcs.Funcs {
		if err := d.function(t.functions[i], planned); err != nil {
			return nil, fmt.Errorf("function %s: %w", planned.Name, err)
		}
	}
	d.locals = 0
	t.plan = d.sequence(policy.Plans.Plans[0].Blocks)
	t.locals = d.locals
	return t, d.failure
}

// A decoder holds what the parts of a plan refer to, and where it is.
type decoder struct {
	policy   *ir.Policy
	builtins map[string]*ir.BuiltinFunc
	byName   map[string]*function
	// parameters is how many a function has besides the documents.
	parameters map[string]int
	terms      map[int]*ast.Term // by the index of their texts
	places     map[placeKey]*ast.Location

	locals  int   // of the function so far
	failure error // the first
}

type placeKey struct{ file, row, col, length int }

// documentLocals is how many of the first locals are the documents, input and
// data.
const documentLocals = 2

func (d *decoder) fail(format string, args ...any) {
	if d.failure == nil {
		d.failure = fmt.Errorf(format, args...)
	}
}

// function decodes what is planned as
//
//	[make an empty set or object]   where the rules are partial
//	rule, rule, …                   see chain
//	[default]
//	return
func (d *decoder) function(f *function, planned *ir.Func) error {
	d.locals = 0
	if len(planned.Params) < documentLocals || planned.Params[0] != ir.Input || planned.Params[1] != ir.Data {
		return fmt.Errorf("its parameters %v do not begin with the documents", planned.Params)
	}
	for _, param := range planned.Params[documentLocals:] {
		f.params = append(f.params, d.local(param))
	}
	f.result = d.local(planned.Return)
	blocks := planned.Blocks
	if len(blocks) == 0 {
		return fmt.Errorf("it has no blocks")
	}
	last := blocks[len(blocks)-1]
	returned, isReturn := only(last).(*ir.ReturnLocalStmt)
	if !isReturn || returned.Source != planned.Return {
		return fmt.Errorf("it does not end by returning its result")
	}
	f.at = d.place(&returned.Location)
	blocks = blocks[:len(blocks)-1]
	if len(blocks) > 0 {
		switch first := only(blocks[0]).(type) {
		case *ir.MakeSetStmt:
			if first.Target == planned.Return {
				f.kind, blocks = setOf, blocks[1:]
			}
		case *ir.MakeObjectStmt:
			if first.Target == planned.Return {
				f.kind, blocks = objectOf, blocks[1:]
			}
		}
	}
	for len(blocks) > 0 && d.failure == nil {
		switch {
		case f.kind != complete:
			f.rules = append(f.rules, &chain{bodies: []*block{d.block(blocks[0])}}) // a partial rule has no elses
			blocks = blocks[1:]
		case len(blocks) == 1 && isDefault(blocks[0], planned.Return):
			f.otherwise = d.block(blocks[0])
			blocks = nil
		default:
			c, n, err := d.chain(blocks, planned.Return)
			if err != nil {
				return err
			}
			f.rules = append(f.rules, c)
			blocks = blocks[n:]
		}
	}
	f.locals = d.locals
	return d.failure
}

// chain decodes a complete rule, and how many blocks it takes. It is planned
// as a block, and another that takes over what it yields:
//
//	reset yield; …; assign once yield
//	is defined yield; assign once result, yield
//
// With elses, all of these blocks stand inside one, and each but the first
// begins by asking that yield is undefined.
func (d *decoder) chain(blocks []*ir.Block, result ir.Local) (*chain, int, error) {
	inside, taken := blocks, 2
	if nested, isGroup := only(blocks[0]).(*ir.BlockStmt); isGroup {
		inside, taken = nested.Blocks, 1
	} else if len(blocks) >= 2 {
		inside = blocks[:2]
	}
	if len(inside) < 2 {
		return nil, 0, fmt.Errorf("a rule has no block that takes over its result")
	}
	end := inside[len(inside)-1]
	if len(end.Stmts) != 2 {
		return nil, 0, fmt.Errorf("a rule's last block has %d statements: expected 2", len(end.Stmts))
	}
	defined, isCheck := end.Stmts[0].(*ir.IsDefinedStmt)
	taking, isTaking := end.Stmts[1].(*ir.AssignVarOnceStmt)
	if !isCheck || !isTaking || taking.Target != result || taking.Source.Value != ir.Val(defined.Source) {
		return nil, 0, fmt.Errorf("a rule's last block does not take over its result")
	}
	c := &chain{yield: d.local(defined.Source), at: d.place(&taking.Location)}
	for i, body := range inside[:len(inside)-1] {
		if i > 0 {
			first, isCheck := body.Stmts[0].(*ir.IsUndefinedStmt)
			if !isCheck || first.Source != defined.Source {
				return nil, 0, fmt.Errorf("an else does not ask whether what goes before it is undefined")
			}
			body = &ir.Block{Stmts: body.Stmts[1:]}
		}
		c.bodies = append(c.bodies, d.block(body))
	}
	return c, taken, nil
}

// isDefault reports whether a block yields a function's default.
func isDefault(b *ir.Block, result ir.Local) bool {
	if len(b.Stmts) < 2 {
		return false
	}
	first, isCheck := b.Stmts[0].(*ir.IsUndefinedStmt)
	return isCheck && first.Source == result
}

// only is the one statement of a block, or nil.
func only(b *ir.Block) ir.Stmt {
	if len(b.Stmts) != 1 {
		return nil
	}
	return b.Stmts[0]
}

// sequence is blocks as one that runs them one after another.
func (d *decoder) sequence(blocks []*ir.Block) *block {
	if len(blocks) == 1 {
		return d.block(blocks[0])
	}
	return &block{[]statement{&group{d.blocks(blocks)}}}
}

func (d *decoder) blocks(planned []*ir.Block) []*block {
	blocks := make([]*block, len(planned))
	for i, b := range planned {
		blocks[i] = d.block(b)
	}
	return blocks
}

func (d *decoder) block(planned *ir.Block) *block {
	b := &block{}
	for _, s := range planned.Stmts {
		if decoded := d.statement(s); decoded != nil {
			b.statements = append(b.statements, decoded)
		}
	}
	return b
}

// statement decodes one of the kinds that package ir has, nil for one that does
// nothing.
func (d *decoder) statement(s ir.Stmt) statement {
	at := d.place(s.GetLocation())
	switch s := s.(type) {
	case *ir.AssignVarStmt:
		if from, isLocal := s.Source.Value.(ir.Local); isLocal {
			return &keep{d.local(s.Target), d.read(from)}
		}
		return &assign{d.local(s.Target), d.operand(s.Source), at}
	case *ir.AssignVarOnceStmt:
		return &assignOnce{to: d.local(s.Target), value: d.operand(s.Source), at: at}
	case *ir.AssignIntStmt:
		return &assign{d.local(s.Target), constant{integer(s.Value)}, at}
	case *ir.ResetLocalStmt:
		return &reset{d.local(s.Target)}
	case *ir.MakeNullStmt:
		return &assign{d.local(s.Target), constant{ast.InternedNullTerm}, at}
	case *ir.MakeNumberIntStmt:
		return &assign{d.local(s.Target), constant{integer(s.Value)}, at}
	case *ir.MakeNumberRefStmt:
		return &assign{d.local(s.Target), constant{number(d.text(s.Index))}, at}
	case *ir.MakeArrayStmt:
		return &create{d.local(s.Target), arrayKind}
	case *ir.MakeObjectStmt:
		return &create{d.local(s.Target), objectKind}
	case *ir.MakeSetStmt:
		return &create{d.local(s.Target), setKind}
	case *ir.ArrayAppendStmt:
		return &appendTo{d.local(s.Array), d.operand(s.Value)}
	case *ir.ObjectInsertStmt:
		key := d.operand(s.Key)
		return &insert{d.local(s.Object), key, d.operand(s.Value), false, at, isConstant(key)}
	case *ir.ObjectInsertOnceStmt:
		return &insert{d.local(s.Object), d.operand(s.Key), d.operand(s.Value), true, at, false}
	case *ir.ObjectMergeStmt:
		return &merge{d.local(s.Target), d.read(s.A), d.read(s.B), at}
	case *ir.SetAddStmt:
		return &addTo{d.local(s.Set), d.operand(s.Value), at}
	case *ir.DotStmt:
		return &assign{d.local(s.Target), dot{d.operand(s.Source), d.operand(s.Key), at}, at}
	case *ir.LenStmt:
		return &assign{d.local(s.Target), length{d.operand(s.Source)}, at}
	case *ir.CallStmt:
		return &assign{d.local(s.Result), d.call(s, at), at}
	case *ir.CallDynamicStmt:
		return &assign{d.local(s.Result), d.callDynamic(s, at), at}
	case *ir.EqualStmt:
		return &equal{d.operand(s.A), d.operand(s.B), at}
	case *ir.NotEqualStmt:
		return &differ{d.operand(s.A), d.operand(s.B), at}
	case *ir.IsArrayStmt:
		return &isKind{arrayKind, d.operand(s.Source), at}
	case *ir.IsObjectStmt:
		return &isKind{objectKind, d.operand(s.Source), at}
	case *ir.IsSetStmt:
		return &isKind{setKind, d.operand(s.Source), at}
	case *ir.IsDefinedStmt:
		if s.Source == ir.Input {
			return &differ{inputDocument{}, constant{neverEqual}, at}
		}
		return &isDefined{d.local(s.Source), true, at}
	case *ir.IsUndefinedStmt:
		return &isDefined{d.local(s.Source), false, at}
	case *ir.BlockStmt:
		return &group{d.blocks(s.Blocks)}
	case *ir.BreakStmt:
		return &leave{signal(s.Index) + 1, at}
	case *ir.ScanStmt:
		return &scan{d.read(s.Source), d.local(s.Key), d.local(s.Value), d.block(s.Block), at}
	case *ir.NotStmt:
		negated := d.block(s.Block)
		d.noteEnds(negated)
		return &negate{negated, at}
	case *ir.WithStmt:
		return d.replace(s, at)
	case *ir.ResultSetAddStmt:
		return &result{d.read(s.Value)}
	case *ir.NopStmt:
		return nil
	default:
		d.fail("a statement of type %T is not known", s)
		return nil
	}
}

func (d *decoder) call(s *ir.CallStmt, at *ast.Location) expression {
	if f := d.byName[s.Func]; f != nil {
		if len(s.Args) < documentLocals || s.Args[0].Value != ir.Val(ir.Input) || s.Args[1].Value != ir.Val(ir.Data) {
			d.fail("a call of %s does not hand on the documents", s.Func)
			return nil
		}
		if want := d.parameters[s.Func]; want != len(s.Args)-documentLocals {
			d.fail("a call of %s has %d arguments: it takes %d", s.Func, len(s.Args)-documentLocals, want)
			return nil
		}
		return call{f, arguments{d.operands(s.Args[documentLocals:]), at}}
	}
	builtin := d.builtins[s.Func]
	if builtin == nil {
		d.fail("there is no function %s", s.Func)
		return nil
	}
	return callBuiltin{s.Func, builtin.Decl, arguments{d.operands(s.Args), at}}
}

// callDynamic decodes a call by path. Only functions without parameters are
// called so.
func (d *decoder) callDynamic(s *ir.CallDynamicStmt, at *ast.Location) expression {
	group := &functionGroup{byPath: make(map[string]*function)}
	for _, planned := range d.policy.Funcs.Funcs {
		if len(planned.Path) == len(s.Path) && len(planned.Params) == documentLocals && d.mayBe(s.Path, planned.Path) {
			group.byPath[pathKey(planned.Path)] = d.byName[planned.Name]
		}
	}
	return callDynamic{group, d.operands(s.Path), at}
}

// mayBe reports whether a path's constants are those of another.
func (d *decoder) mayBe(path []ir.Operand, names []string) bool {
	for i, step := range path {
		if index, isConstant := step.Value.(ir.StringIndex); isConstant && d.text(int(index)) != names[i] {
			return false
		}
	}
	return true
}

// pathKey is a path as one text.
func pathKey(path []string) string { return strings.Join(path, "\x00") }

func (d *decoder) replace(s *ir.WithStmt, at *ast.Location) statement {
	if s.Local != ir.Input && s.Local != ir.Data {
		d.fail("with replaces a part of local %d, which is no document", s.Local)
		return nil
	}
	path := make([]*ast.Term, len(s.Path))
	for i, index := range s.Path {
		path[i] = ast.InternedTerm(d.text(index))
	}
	return &replace{s.Local == ir.Input, path, d.operand(s.Value), d.block(s.Block), at}
}

func (d *decoder) operands(planned []ir.Operand) []expression {
	operands := make([]expression, len(planned))
	for i, o := range planned {
		operands[i] = d.operand(o)
	}
	return operands
}

func (d *decoder) operand(o ir.Operand) expression {
	switch v := o.Value.(type) {
	case ir.Local:
		return d.read(v)
	case ir.StringIndex:
		return constant{d.term(int(v))}
	case ir.Bool:
		return constant{ast.InternedTerm(bool(v))}
	default:
		d.fail("an operand of type %T is not known", v)
		return nil
	}
}

func (d *decoder) read(l ir.Local) expression {
	switch l {
	case ir.Input:
		return inputDocument{}
	case ir.Data:
		return dataDocument{}
	default:
		return read{d.local(l)}
	}
}

// local is a local that is set or read.
func (d *decoder) local(l ir.Local) local {
	if l < documentLocals {
		d.fail("local %d, a document, is set", l)
		return 0
	}
	d.locals = max(d.locals, int(l)-documentLocals+1)
	return local(l - documentLocals)
}

func (d *decoder) text(index int) string {
	if index < 0 || index >= len(d.policy.Static.Strings) {
		d.fail("there is no text %d", index)
		return ""
	}
	return d.policy.Static.Strings[index].Value
}

// term is the term of a text, one for all that name it.
func (d *decoder) term(index int) *ast.Term {
	known := d.terms[index]
	if known == nil {
		known = ast.InternedTerm(d.text(index))
		d.terms[index] = known
	}
	return known
}

// place is where a statement comes from. Statements of one place share it.
func (d *decoder) place(l *ir.Location) *ast.Location {
	key := placeKey{l.File, l.Row, l.Col, len(l.Text)}
	if known := d.places[key]; known != nil {
		return known
	}
	file := ""
	if l.File < len(d.policy.Static.Files) {
		file = d.policy.Static.Files[l.File].Value
	}
	p := ast.NewLocation(slices.Clone(l.Text), file, l.Row, l.Col)
	d.places[key] = p
	return p
}

func integer(n int64) *ast.Term { return number(strconv.FormatInt(n, 10)) }

func number(text string) *ast.Term {
	if shared := ast.InternedIntNumberTermFromString(text); shared != nil {
		return shared
	}
	return ast.NewTerm(ast.Number(text))
}

// neverEqual is a value that no other is equal to: a check that something
// differs from it is a check that it is defined.
var neverEqual = ast.VarTerm("")
