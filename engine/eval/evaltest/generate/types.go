package generate

// A typ is what a term likely is. Types are compared by their addresses.
type typ struct {
	kind   kind
	elem   *typ    // of arrays, sets and maps
	fields []field // of records
}

type field struct {
	name string
	typ  *typ
}

type kind uint8

const (
	anything kind = iota
	number
	text
	boolean
	array
	set
	mapping // an object with the same type at every key
	record  // an object with fields
)

// The types of documents and of most rules.
var (
	anyType  = &typ{kind: anything}
	num      = &typ{kind: number}
	str      = &typ{kind: text}
	truth    = &typ{kind: boolean}
	nums     = &typ{kind: array, elem: num}
	strs     = &typ{kind: array, elem: str}
	matrix   = &typ{kind: array, elem: nums}
	numSet   = &typ{kind: set, elem: num}
	strSet   = &typ{kind: set, elem: str}
	numMap   = &typ{kind: mapping, elem: num}
	strMap   = &typ{kind: mapping, elem: str}
	anyMap   = &typ{kind: mapping, elem: anyType}
	truthMap = &typ{kind: mapping, elem: truth}
	graph    = &typ{kind: mapping, elem: strs}

	rec = &typ{kind: record, fields: []field{
		{"n", num}, {"m", num}, {"s", str}, {"t", str}, {"b", truth}, {"ns", nums}, {"ss", strs}, {"mp", numMap},
	}}
	recs   = &typ{kind: array, elem: rec}
	recMap = &typ{kind: mapping, elem: rec}

	grant = &typ{kind: record, fields: []field{
		{"id", str}, {"subject", str}, {"role", str}, {"scope", str}, {"not_before_ns", num}, {"not_after_ns", num},
	}}
	grants   = &typ{kind: array, elem: grant}
	grantMap = &typ{kind: mapping, elem: grants}

	entity = &typ{kind: record, fields: []field{
		{"attributes", rec}, {"id", str}, {"ref", str}, {"type", str}, {"parents", strs},
		{"ancestors", strMap}, {"distances", numMap}, {"grants", grants}, {"grants_by_scope", grantMap}, {"permissions", strMap},
	}}
	entityMap = &typ{kind: mapping, elem: entity}
)

// values are the types that a variable or a rule's value may have, the likelier
// ones twice.
var values = []*typ{num, num, str, str, truth, nums, strs, numSet, strSet, numMap, strMap, rec, recs}

// elements are the types that a rule's members may have.
var elements = []*typ{num, str, str, truth, strs, rec}

// reaches reports whether a value of one type holds one of another, so many
// steps down at most.
func (t *typ) reaches(to *typ, steps int) bool {
	if t == to || to == anyType {
		return true
	}
	if steps == 0 {
		return false
	}
	if t.elem != nil && t.elem.reaches(to, steps-1) {
		return true
	}
	for _, f := range t.fields {
		if f.typ.reaches(to, steps-1) {
			return true
		}
	}
	return false
}
