package closure

import (
	"math"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// unit is how many bytes of a text weigh as much as a member of a collection.
const unit = 64

// size is the weight of a value without that of what is in its members.
func size(v ast.Value) int64 {
	switch v := v.(type) {
	case ast.Boolean, ast.Null: // asking for interfaces, below, takes longer
		return 0
	case ast.String:
		return int64(len(v) / unit)
	case ast.Number:
		return digits(int64(len(v)))
	case *ast.Array:
		return int64(v.Len())
	case ast.Set:
		return int64(v.Len())
	case ast.Object:
		return 2 * int64(v.Len())
	default:
		return 0
	}
}

// weight is the weight of a value with all that is in it, or, where that is more
// than most, anything above. Where one value stands in many places, it counts in
// each: so does what looks into it.
func weight(v ast.Value, most int64) int64 { return newWeigher().weight(v, most) }

// A weigher adds up weights, until they are more than most.
type weigher struct {
	sum, most int64
	// member adds a member of an object. It is made once, for OPA goes through
	// objects by callbacks.
	member func(key, value *ast.Term) bool
}

func newWeigher() *weigher {
	w := &weigher{}
	w.member = func(key, value *ast.Term) bool {
		w.add(key.Value)
		w.add(value.Value)
		return w.sum > w.most
	}
	return w
}

func (w *weigher) weight(v ast.Value, most int64) int64 {
	w.sum, w.most = 0, most
	w.add(v)
	return w.sum
}

func (w *weigher) add(v ast.Value) {
	w.sum += size(v)
	switch v := v.(type) {
	case ast.Boolean, ast.Null, ast.String, ast.Number:
	case *ast.Array:
		for i := 0; i < v.Len() && w.sum <= w.most; i++ {
			w.add(v.Elem(i).Value)
		}
	case ast.Set:
		members := v.Slice()
		for i := 0; i < len(members) && w.sum <= w.most; i++ {
			w.add(members[i].Value)
		}
	case ast.Object:
		if w.sum <= w.most {
			v.Until(w.member)
		}
	}
}

// digits is the weight of a number of so many: it is computed with in its full
// length, for which it is converted.
func digits(n int64) int64 { return n/unit + times(n, n)>>14 }

// times is a product of what is not negative, or the largest number.
func times(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}

// weigh is the weight of a value, or anything that there is no room for.
func (m *machine) weigh(v ast.Value) int64 {
	if small(v) {
		return 0
	}
	if m.weigher == nil {
		m.weigher = newWeigher()
	}
	if w := m.weigher.weight(v, little); w <= little {
		return w
	}
	return m.weigher.weight(v, m.room())
}

// small reports whether a value weighs nothing.
func small(v ast.Value) bool {
	switch v := v.(type) {
	case ast.String:
		return len(v) < unit
	case ast.Number:
		return len(v) < unit
	case ast.Boolean, ast.Null:
		return true
	default:
		return false
	}
}

// little is how many steps are no matter of time: some 200 microseconds.
const little = 4096

// leastStep is what a step takes at the least, where many are counted at once.
const leastStep = 25 * time.Nanosecond

// room is how many steps can be taken, and probably in time.
func (m *machine) room() int64 {
	room := max(m.steps+int64(m.untilLook), 0)
	if deadline, ok := m.ctx.Deadline(); ok {
		room = min(room, max(int64(time.Until(deadline)/leastStep), 0))
	}
	return room
}

// pay counts steps, and reports whether to go on.
func (m *machine) pay(steps int64) bool { return m.affords(steps) && m.work(int(steps)) }

// affords reports whether so many steps can be taken at once. If not, the
// evaluation has ended.
func (m *machine) affords(steps int64) bool {
	if steps <= little || steps <= m.room() {
		return true
	}
	if m.work(int(min(steps, math.MaxInt32))) {
		m.fail(authz.Exceeded(authz.EvaluationLimit, "the policy calls a built-in on values that it could not come to the end of in time: let it compute with smaller ones, or raise the limit of the evaluation time"))
	}
	return false
}
