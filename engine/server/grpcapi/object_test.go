package grpcapi

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestObjectOf(t *testing.T) {
	object := func(name string, value *structpb.Value) *structpb.Struct {
		return &structpb.Struct{Fields: map[string]*structpb.Value{name: value}}
	}
	list := func(values ...*structpb.Value) *structpb.Value {
		return structpb.NewListValue(&structpb.ListValue{Values: values})
	}
	tests := []struct {
		name    string
		message *structpb.Struct
		want    authz.Object
		wantErr string
	}{
		{"nothing", nil, nil, ""},
		{"an empty object, which is not nothing", &structpb.Struct{}, authz.Object{}, ""},
		{"an object without fields", object("a", structpb.NewStructValue(nil)), authz.Object{"a": authz.Object{}}, ""},
		{"a list without values", object("a", structpb.NewListValue(nil)), authz.Object{"a": []any{}}, ""},
		{"null", object("a", structpb.NewNullValue()), authz.Object{"a": nil}, ""},
		{"a fraction", object("a", structpb.NewNumberValue(0.1)), authz.Object{"a": 0.1}, ""},
		{"the largest exact integer", object("a", structpb.NewNumberValue(1<<53-1)), authz.Object{"a": float64(1<<53 - 1)}, ""},
		{"the smallest exact integer", object("a", structpb.NewNumberValue(-(1<<53 - 1))), authz.Object{"a": float64(-(1<<53 - 1))}, ""},
		{"an integer that may have been rounded", object("a", structpb.NewNumberValue(1<<53)), nil, "p.a: 9.007199254740992e+15 may have been rounded"},
		{"a negative one", object("a", structpb.NewNumberValue(-(1 << 53))), nil, "p.a: -9.007199254740992e+15 may have been rounded"},
		{"the largest double", object("a", structpb.NewNumberValue(math.MaxFloat64)), nil, "may have been rounded"},
		{"NaN", object("a", structpb.NewNumberValue(math.NaN())), nil, "p.a: NaN is no JSON number"},
		{"infinity", object("a", structpb.NewNumberValue(math.Inf(1))), nil, "p.a: +Inf is no JSON number"},
		{"no value", object("a", nil), nil, "p.a: the value has no kind"},
		{"a value without a kind", object("a", &structpb.Value{}), nil, "p.a: the value has no kind"},
		{"deep inside", object("a", list(structpb.NewNullValue(), structpb.NewStructValue(object("b", list(nil))))), nil, "p.a[1].b[0]: the value has no kind"},
		{"under a long name", object(strings.Repeat("é", 1000), nil), nil, "p." + strings.Repeat("é", 32) + "…: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := objectOf("p", tt.message)
			if tt.wantErr != "" {
				if authz.KindOf(err) != authz.Invalid || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error = %v, want an invalid one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNestingAtTheLimit(t *testing.T) {
	objects := func(levels int) *structpb.Struct {
		s := &structpb.Struct{}
		for range levels - 1 {
			s = &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewStructValue(s)}}
		}
		return s
	}
	lists := func(levels int) *structpb.Struct {
		v := structpb.NewListValue(&structpb.ListValue{})
		for range levels - 2 {
			v = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{v}})
		}
		return &structpb.Struct{Fields: map[string]*structpb.Value{"a": v}}
	}
	for name, nested := range map[string]func(int) *structpb.Struct{"objects": objects, "lists": lists} {
		if _, err := objectOf("p", nested(pdp.MaxDepth)); err != nil {
			t.Errorf("%d levels of %s: %v", pdp.MaxDepth, name, err)
		}
		for _, levels := range []int{pdp.MaxDepth + 1, 5_000} {
			if _, err := objectOf("p", nested(levels)); authz.KindOf(err) != authz.Invalid {
				t.Errorf("%d levels of %s: error = %v, want an invalid one", levels, name, err)
			}
		}
	}
}

func TestNumbersOfObligations(t *testing.T) {
	tests := []struct {
		name, text string
		want       *structpb.Value
	}{
		{"zero", "0", structpb.NewNumberValue(0)},
		{"an integer", "42", structpb.NewNumberValue(42)},
		{"an integer with zeros", "1200", structpb.NewNumberValue(1200)},
		{"a negative one", "-7", structpb.NewNumberValue(-7)},
		{"a fraction", "0.1", structpb.NewNumberValue(0.1)},
		{"a fraction with a zero at its end", "1.50", structpb.NewNumberValue(1.5)},
		{"as many digits as a double has", "0.3333333333333333", structpb.NewNumberValue(1.0 / 3)},
		{"an exponent", "1.5e3", structpb.NewNumberValue(1500)},
		{"a capital exponent", "25E-1", structpb.NewNumberValue(2.5)},
		{"the largest exact integer", "9007199254740991", structpb.NewNumberValue(1<<53 - 1)},
		{"the next integer", "9007199254740992", structpb.NewStringValue("9007199254740992")},
		{"nanoseconds", "1767225600000000001", structpb.NewStringValue("1767225600000000001")},
		{"more digits than a double has", "0.12345678901234567890", structpb.NewStringValue("0.12345678901234567890")},
		{"beyond a double", "1e400", structpb.NewStringValue("1e400")},
		{"too small for a double", "1e-400", structpb.NewStringValue("1e-400")},
		{"an exponent without end", "1e999999999", structpb.NewStringValue("1e999999999")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := structOf(authz.Object{"n": json.Number(tt.text)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.GetFields()["n"], protocmp.Transform()); diff != "" {
				t.Errorf("value of %s (-want +got):\n%s", tt.text, diff)
			}
		})
	}
}

func TestValuesThatNoObjectHas(t *testing.T) {
	for _, object := range []authz.Object{{"a": 1}, {"a": []any{struct{}{}}}, {"a": authz.Object{"b": []string{"c"}}}} {
		if _, err := structOf(object); err == nil {
			t.Errorf("structOf(%v) succeeded", object)
		}
	}
}

func FuzzObjectOf(f *testing.F) {
	for _, seed := range []map[string]any{
		{},
		{"a": nil, "b": true, "c": "x", "d": 1.5},
		{"a": []any{1, []any{}, map[string]any{"b": "c"}}},
		{"a": math.NaN()},
		{"a": math.MaxFloat64},
	} {
		s, err := structpb.NewStruct(seed)
		if err != nil {
			f.Fatal(err)
		}
		data, err := proto.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		message := &structpb.Struct{}
		if proto.Unmarshal(data, message) != nil {
			return
		}
		object, err := objectOf("p", message)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid || len(authz.ViolationsOf(err)) != 1 {
				t.Errorf("error = %v, want an invalid one about a field", err)
			}
			return
		}
		back, err := structOf(object)
		if err != nil {
			t.Fatalf("the object does not become a message again: %v", err)
		}
		again, err := objectOf("p", back)
		if err != nil {
			t.Fatalf("the message does not become an object again: %v", err)
		}
		if diff := cmp.Diff(object, again); diff != "" {
			t.Errorf("the object changed on its way (-before +after):\n%s", diff)
		}
	})
}
