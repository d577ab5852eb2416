package client

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
)

// FuzzObject holds that an object is either refused or comes back from its message
// as it was, numbers by their value.
func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":[1,2.5,-0,1e3,0.1,9007199254740991,9007199254740992,1e400,1e-400]}`, `{"a":{"b":[null,true,"x",{}]}}`,
		`{"":"\u0000"}`, `{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, `{"a":0.30000000000000004,"b":100e-2,"c":"\ud800"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var object authz.Object
		if decoder.Decode(&object) != nil || object == nil {
			return
		}
		message, flaw := structOf(object, 1)
		if flaw != nil {
			if flaw.text == "" {
				t.Error("it is refused without a reason")
			}
			return
		}
		byValue := cmp.Comparer(func(a, b json.Number) bool {
			x, xErr := a.Float64()
			y, yErr := b.Float64()
			return xErr == nil && yErr == nil && x == y && digitsOf(string(a)) == digitsOf(string(b))
		})
		if diff := cmp.Diff(object, objectIn(message), byValue); diff != "" {
			t.Errorf("it comes back changed (-was +is):\n%s", diff)
		}
	})
}
