package closure

import (
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/engine/eval/closure/native"
)

// members are those of an object in the making, in order. The values may be in
// the making as well.
type members struct {
	list  [][2]*ast.Term
	index ast.Object // from keys to positions, where there are many
}

// fewMembers is up to how many keys are compared one by one.
const fewMembers = 8

// position is where a key stands, or -1.
func (o *members) position(key *ast.Term) int {
	if o.index != nil {
		at := o.index.Get(key)
		if at == nil {
			return -1
		}
		i, _ := at.Value.(ast.Number).Int()
		return i
	}
	for i := range o.list {
		if native.Equal(o.list[i][0], key) {
			return i
		}
	}
	return -1
}

// get is the value of a key, which may be in the making, or nil.
func (o *members) get(key *ast.Term) *ast.Term {
	if at := o.position(key); at >= 0 {
		return o.list[at][1]
	}
	return nil
}

func (o *members) add(key, value *ast.Term) {
	if o.index == nil && len(o.list) == fewMembers {
		o.index = ast.NewObject()
		for i, member := range o.list {
			o.index.Insert(member[0], ast.InternedTerm(i))
		}
	}
	if o.index != nil {
		o.index.Insert(key, ast.InternedTerm(len(o.list)))
	}
	o.list = append(o.list, [2]*ast.Term{key, value})
}
