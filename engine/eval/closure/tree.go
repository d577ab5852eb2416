package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
)

// The tree is what OPA's plan becomes before it becomes code: the plan's
// statements with all names resolved, and expressions where the plan has
// chains of statements, each of which sets a variable that the next one reads.

// A local is a variable of a function. A function's are numbered from 0, the
// parameters first.
type local int

// none is no local.
const none local = -1

// An expression yields a value, or none where it is undefined.
type expression interface{ expression() }

type (
	// read is the value of a local.
	read struct{ from local }
	// constant is a value known at activation.
	constant struct{ term *ast.Term }
	// inputDocument is the document input.
	inputDocument struct{}
	// dataDocument is the document data, without what rules define.
	dataDocument struct{}
	// dot is what stands at key in of.
	dot struct {
		of, key expression
		at      *ast.Location
	}
	// apart is the value at a path in a document that ends there: a key that
	// follows is looked up in the value, where 5 does not find "5". See pathOf.
	apart struct{ of expression }
	// call is the value of a function.
	call struct {
		function *function
		arguments
	}
	// callBuiltin is the value of a built-in function.
	callBuiltin struct {
		name string
		decl *types.Function
		arguments
	}
	// callDynamic is the value of the function at a path that is known when it
	// runs. It is undefined where there is none.
	callDynamic struct {
		group *functionGroup
		path  []expression
		at    *ast.Location
	}
	// length is the number of members of a collection.
	length struct{ of expression }
	// literal is a collection written out. Keys are those of an object.
	literal struct {
		kind         kind
		keys, values []expression
		written      []bool // which keys the policy writes as constants
		at           *ast.Location
	}
)

type arguments struct {
	args []expression
	at   *ast.Location
}

func (read) expression()          {}
func (constant) expression()      {}
func (inputDocument) expression() {}
func (dataDocument) expression()  {}
func (dot) expression()           {}
func (apart) expression()         {}
func (call) expression()          {}
func (callBuiltin) expression()   {}
func (callDynamic) expression()   {}
func (length) expression()        {}
func (literal) expression()       {}

// A statement does something, or does not hold, which ends its block.
type statement interface{ statement() }

// atPlace is where in the policy something stands.
type atPlace = *ast.Location

// A block is statements in order. It ends where one does not hold.
type block struct{ statements []statement }

type (
	// assign sets a local. It holds where the value is defined.
	assign struct {
		to    local
		value expression
		at    *ast.Location
	}
	// keep sets a local to a value, or makes it undefined where that is, and
	// holds.
	keep struct {
		to    local
		value expression
	}
	// assignOnce sets a local that has another value or none. Two different
	// values are a conflict.
	assignOnce struct {
		to    local
		value expression
		at    *ast.Location
		ofKey bool // the value is that of a key, of which there is one
	}
	// reset makes a local undefined.
	reset struct{ local local }
	// equal holds where two values are equal.
	equal struct {
		a, b expression
		at   *ast.Location
	}
	// differ holds where two values are defined and not equal.
	differ struct {
		a, b expression
		at   *ast.Location
	}
	// isKind holds where a value is an array, an object or a set.
	isKind struct {
		kind kind
		of   expression
		at   *ast.Location
	}
	// isDefined holds where a local has a value, or has none.
	isDefined struct {
		local   local
		defined bool
		at      *ast.Location
	}
	// group runs blocks one after another. That one ends early does not keep
	// the next from running.
	group struct{ blocks []*block }
	// leave ends so many blocks, from the innermost on.
	leave struct {
		blocks signal
		at     *ast.Location
	}
	// scan runs a block for each member of a collection. Key is none where nobody
	// reads it.
	scan struct {
		of         expression
		key, value local
		body       *block
		at         *ast.Location
	}
	// negate holds where a block does not come to its end.
	negate struct {
		body *block
		at   *ast.Location
	}
	// replace runs a block with a part of a document replaced.
	replace struct {
		input bool // in the document input, else in data
		path  []*ast.Term
		value expression
		body  *block
		at    *ast.Location
	}
	// create sets a local to an empty collection.
	create struct {
		to   local
		kind kind
	}
	// appendTo adds an element to an array.
	appendTo struct {
		array local
		value expression
	}
	// addTo adds a member to a set.
	addTo struct {
		set   local
		value expression
		at    *ast.Location
	}
	// insert sets a member of an object. Where once is set, two different
	// values of one key are a conflict.
	insert struct {
		object     local
		key, value expression
		once       bool
		at         *ast.Location
		written    bool // the policy writes the key as a constant; see precedence
	}
	// insertDeep sets a value at a path in an object, or adds a member to the set
	// there, and makes what is not there yet. Two different values are a
	// conflict. See foldNests.
	insertDeep struct {
		object        local
		path          []expression
		value, member expression // one of them
		at            *ast.Location
	}
	// merge sets a local to two objects merged.
	merge struct {
		to   local
		a, b expression
		at   *ast.Location
	}
	// result adds to the answers of the plan.
	result struct{ value expression }
)

func (*assign) statement()     {}
func (*keep) statement()       {}
func (*assignOnce) statement() {}
func (*reset) statement()      {}
func (*equal) statement()      {}
func (*differ) statement()     {}
func (*isKind) statement()     {}
func (*isDefined) statement()  {}
func (*group) statement()      {}
func (*leave) statement()      {}
func (*scan) statement()       {}
func (*negate) statement()     {}
func (*replace) statement()    {}
func (*create) statement()     {}
func (*appendTo) statement()   {}
func (*addTo) statement()      {}
func (*insert) statement()     {}
func (*insertDeep) statement() {}
func (*merge) statement()      {}
func (*result) statement()     {}

// A kind is a kind of collection.
type kind uint8

const (
	arrayKind kind = iota
	objectKind
	setKind
)

// A function is a rule or a function of the policy: all that is defined under
// one name.
type function struct {
	name   string
	path   []string // below data, after the generation; for callDynamic
	params []local  // besides the documents
	result local
	kind   functionKind
	rules  []*chain
	// otherwise yields the default where nothing else has; nil without one.
	otherwise *block
	locals    int // how many there are
	// rests is the function that this is a variant of for known keys; nil for
	// others. See onDemand.
	rests         *function
	keys          []local // the last of the parameters of a variant
	absentIfEmpty bool    // an empty collection is none
	refined       bool    // its bodies are no more as the plan has them; see asPlanned
	folded        bool    // what it yields has been asked for at activation
	// mixed is whether rules that are gone from a variant, and that OPA tries, yield
	// something else than those that are left.
	mixed bool
	// origin is the function that this is a variant of for known requests; nil for
	// others. See specialise.
	origin *function
	// dispatch finds the rules that may apply; nil tries them all.
	dispatch *dispatch
	at       *ast.Location
}

// A functionKind says what becomes of what the rules of a function yield.
type functionKind uint8

const (
	complete functionKind = iota // all have to yield the same
	setOf                        // members of a set
	objectOf                     // members of an object, or of objects in it
)

// A chain is a rule with its elses, of which the first that yields counts.
type chain struct {
	bodies []*block
	yield  local // what a body of a complete rule assigns
	// constant is what the rule yields if it does; nil where that may differ.
	// See findExits.
	constant *ast.Term
	filter   *filter // of the bodies; nil tries them all
	at       *ast.Location
}

// blocks are all blocks of a function.
func (f *function) blocks() []*block {
	var blocks []*block
	for _, c := range f.rules {
		blocks = append(blocks, c.bodies...)
	}
	if f.otherwise != nil {
		blocks = append(blocks, f.otherwise)
	}
	return blocks
}

// A functionGroup is what a dynamic call may call.
type functionGroup struct{ byPath map[string]*function }

// A tree is a whole plan.
type tree struct {
	functions []*function
	plan      *block
	locals    int            // of the plan
	answers   map[local]bool // locals of the plan that are read when it has run
	refined   bool           // the plan's block is; see function
}

// eachBlock calls visit with the blocks of all functions and the plan's.
func (t *tree) eachBlock(visit func(*block)) {
	for _, f := range t.functions {
		for _, b := range f.blocks() {
			visit(b)
		}
	}
	visit(t.plan)
}
