package closure

import (
	"context"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/panics"
)

// A program runs as one of its variants for requests that come often: for
// requests of which the type of the subject, the action and the type of the
// resource are known, which is what policies tell their rules apart by. See
// specialise. A variant is made beside the decisions, which go on as they did
// until it is there.
//
// Variants are safe for use by many goroutines at once.
type variants struct {
	tree   *tree
	source source
	parent *executable
	after  uint32           // so many requests a variant is made; 0 at once
	pace   *background.Pace // at which it is made beside decisions
	// names are the texts that the policy names. A field of a request that has
	// another is not known.
	names map[string]*ast.Term
	reads [len(fieldsKnown)]bool // by the policy

	// programs are there by what is known, nil where one would be too large. The
	// map is not changed: there is another with each that is added.
	programs atomic.Pointer[map[knownFields]*executable]
	asked    [1 << 10]atomic.Uint32 // requests for which there is none yet, by hash
	seed     maphash.Seed           // of the hash
	full     atomic.Bool            // no more are made
	making   sync.Mutex
	size     int // statements of all variants
}

// fieldsKnown are the fields of a request that variants know.
var fieldsKnown = [...]string{"subject.type", "action.name", "resource.type"}

// knownFields are the texts in the fields, empty for those not known.
type knownFields [len(fieldsKnown)]string

const (
	// variantAfter is how many requests come before a variant is made for those
	// like them.
	variantAfter = 50
	// maxVariants is how many are made, and maxVariantsSize how many statements
	// they may have together: a policy that is asked about more kinds of requests
	// finds its rules by tables, and does that best in code that all have in common.
	maxVariants, maxVariantsSize = 500, 100_000
	// maxVariantSize is how many statements a variant may have.
	maxVariantSize = 10_000
)

// newVariants has no variants yet. It is nil for a policy whose tables tell more
// kinds of requests apart than there may be variants.
func newVariants(t *tree, s source, parent *executable, after uint32, pace *background.Pace) *variants {
	kinds := 0
	for _, f := range t.functions {
		kinds += kindsOf(f.dispatch)
	}
	if kinds > maxVariants {
		return nil
	}
	v := &variants{tree: t, source: s, parent: parent, names: constantsOf(t), after: after, pace: pace, seed: maphash.MakeSeed()}
	delete(v.names, "")
	read := readFields(t)
	for i, name := range fieldsKnown {
		v.reads[i] = read[name]
	}
	v.programs.Store(&map[knownFields]*executable{})
	return v
}

// kindsOf is how many values of fields that variants know lead somewhere in a
// table.
func kindsOf(d *dispatch) int {
	if d == nil || d.subject == nil {
		return 0
	}
	kinds := kindsOf(d.otherwise)
	subject, _ := d.subject.(dot)
	if p := pathOf(subject); isInput(p.root) && slices.Contains(fieldsKnown[:], fieldName(p.names())) {
		kinds += len(d.byValue)
	}
	for _, b := range d.byValue {
		kinds += kindsOf(b.to)
	}
	return kinds
}

// readFields are the names of the fields of the request that a tree reads.
func readFields(t *tree) map[string]bool {
	read := make(map[string]bool)
	t.eachBlock(func(b *block) {
		everyExpression(b, func(e expression) {
			if d, isDot := e.(dot); isDot {
				if p := pathOf(d); isInput(p.root) {
					read[fieldName(p.names())] = true
				}
			}
		})
	})
	return read
}

func isInput(e expression) bool { _, is := e.(inputDocument); return is }

// of is the variant for a request; nil where there is none.
func (v *variants) of(r *authz.Request) *executable {
	k := knownFields{r.Subject.Type, r.Action.Name, r.Resource.Type}
	for i := range k {
		if !v.reads[i] {
			k[i] = ""
		}
	}
	programs := *v.programs.Load()
	if program, known := programs[k]; known {
		return program
	}
	for i := range k {
		if name := v.names[k[i]]; name != nil {
			k[i] = string(name.Value.(ast.String)) // the policy's, to be kept
		} else {
			k[i] = ""
		}
	}
	if k == (knownFields{}) {
		return nil
	}
	if program, known := programs[k]; known {
		return program
	}
	if v.full.Load() {
		return nil
	}
	asked := &v.asked[maphash.Comparable(v.seed, k)%uint64(len(v.asked))]
	if asked.Add(1) <= v.after || !v.making.TryLock() {
		return nil
	}
	asked.Store(0)
	if v.after == 0 {
		return v.make(k)
	}
	go v.makeBeside(k)
	return nil
}

// makeBeside is make beside decisions. If it panics, no more variants are made:
// the program itself decides the same.
func (v *variants) makeBeside(k knownFields) {
	var err error
	defer func() { v.full.Store(v.full.Load() || err != nil) }()
	defer panics.Catch("making of a variant", &err)
	v.make(k)
}

// make makes a variant, and unlocks making.
func (v *variants) make(k knownFields) *executable {
	defer v.making.Unlock()
	programs := maps.Clone(*v.programs.Load())
	if program, known := programs[k]; known {
		return program
	}
	program, size := v.program(k)
	if v.size+size > maxVariantsSize {
		v.full.Store(true)
		return nil
	}
	programs[k] = program
	v.size += size
	v.programs.Store(&programs)
	v.full.Store(len(programs) == maxVariants)
	return program
}

// program is the variant's program and how many statements it has; nil where
// there are too many.
func (v *variants) program(k knownFields) (*executable, int) {
	known := make(map[string]*ast.Term)
	for i, name := range fieldsKnown {
		if k[i] != "" {
			known[name] = v.names[k[i]]
		}
	}
	s := v.source
	s.rest = v.pace.Resting(context.Background())
	t := specialise(v.tree, known, s.static, maxVariantSize)
	if t == nil {
		return nil, 1
	}
	if err := s.optimise(t); err != nil {
		return nil, 1
	}
	program, err := s.encode(t)
	if err != nil {
		return nil, 1
	}
	program.patterns, program.signatures, program.idle = v.parent.patterns, v.parent.signatures, v.parent.idle
	size := 0
	t.eachBlock(func(b *block) { everyStatement(b, func(statement) { size++ }) })
	return program, size
}
