package authzen

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestRefusedBodies(t *testing.T) {
	tests := []struct {
		name, body, wantField, wantText string
	}{
		{"blank", " \n", "", "the body is empty"},
		{"null", `null`, "", "the body is null: expected an object"},
		{"an array", `[]`, "", "the body is an array: expected an object"},
		{"a word", `alice`, "", "malformed at byte 0"},
		{"cut off", `{"subject":{"type":"user"`, "subject", "unexpected EOF"},
		{"a byte order mark", "\ufeff{}", "", "malformed at byte 0"},
		{"a NUL behind the object", "{}\x00", "", "malformed at byte 2"},
		{"an unpaired surrogate in what is dropped", `{"more":"\ud800"}`, "more", "surrogate"},
		{"invalid UTF-8 in a name", "{\"context\":{\"\xff\":1}}", "context", "invalid UTF-8"},
		{"nesting without end in what is dropped", `{"more":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "more" + strings.Repeat("[0]", 65) + "[…", "exceeded max depth"},
		{"a second object", `{}{}`, "", "goes on after its object"},
		{"rubbish after the object", `{} x`, "", "malformed at byte 3"},
		{"a subject that is a string", `{"subject":"alice"}`, "subject", "is a string: expected an object"},
		{"a name that is a number", `{"action":{"name":123}}`, "action.name", "is a number: expected a string"},
		{"an id that is a boolean", `{"resource":{"id":true}}`, "resource.id", "is a boolean: expected a string"},
		{"a context that is an array", `{"context":[]}`, "context", "is an array: expected an object"},
		{"properties that are a string", `{"subject":{"properties":"x"}}`, "subject.properties", "is a string: expected an object"},
		{"a name twice", `{"context":{"a":1,"a":2}}`, "context.a", "duplicate object member name"},
		{"a name twice by an escape", `{"context":{"a":1,"\u0061":2}}`, "context.a", "duplicate object member name"},
		{"a name twice in what is dropped", `{"more":{"a":1,"a":2}}`, "more.a", "duplicate object member name"},
		{"a member twice", `{"subject":{},"subject":{}}`, "subject", "duplicate object member name"},
		{"invalid UTF-8", "{\"subject\":{\"id\":\"\xff\"}}", "subject.id", "invalid UTF-8"},
		{"an unpaired surrogate", `{"subject":{"id":"\ud800"}}`, "subject.id", "surrogate"},
		{"a number beyond a double", `{"context":{"n":1e999999999}}`, "context.n", "outside the range of a double"},
		{"a number too small for a double", `{"context":{"n":1e-999999999}}`, "context.n", "outside the range of a double"},
		{"a zero with an exponent without end", `{"context":{"n":0e-999999999}}`, "context.n", "outside the range of a double"},
		{"a number without end", `{"context":{"n":` + strings.Repeat("1", authz.MaxNumberBytes+1) + `}}`, "context.n", "65 characters: at most 64"},
		{"a number that JSON does not know", `{"context":{"n":NaN}}`, "context.n", "malformed at byte 16"},
		{"evaluations that are an object", `{"evaluations":{}}`, "evaluations", "is an object: expected an array"},
		{"an evaluation that is null", `{"evaluations":[null]}`, "evaluations[0]", "is null: expected an object"},
		{"an evaluation's wrong member", `{"evaluations":[{},{"resource":7}]}`, "evaluations[1].resource", "is a number: expected an object"},
		{"options that are a string", `{"options":"x"}`, "options", "is a string: expected an object"},
		{"an unknown semantic", `{"options":{"evaluations_semantic":"some"}}`, "options.evaluations_semantic", `"some" is none: expected execute_all`},
		{"a semantic that is a number", `{"options":{"evaluations_semantic":1}}`, "options.evaluations_semantic", "is a number: expected a string"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := decodeEvaluations([]byte(tt.body))
			if authz.KindOf(err) != authz.Invalid {
				t.Fatalf("error = %v, want one of kind invalid", err)
			}
			if !strings.Contains(err.Error(), tt.wantText) {
				t.Errorf("error = %q, want it to contain %q", err, tt.wantText)
			}
			var fields []string
			for _, v := range authz.ViolationsOf(err) {
				fields = append(fields, v.Field)
			}
			var want []string
			if tt.wantField != "" {
				want = []string{tt.wantField}
			}
			if !slices.Equal(fields, want) {
				t.Errorf("fields = %q, want %q", fields, want)
			}
		})
	}
}

func TestNestingAtTheLimit(t *testing.T) {
	for name, nested := range map[string]func(levels int) string{
		"objects": func(levels int) string {
			return strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1)
		},
		"arrays": func(levels int) string {
			return `{"a":` + strings.Repeat(`[`, levels-1) + strings.Repeat(`]`, levels-1) + `}`
		},
		"objects in arrays": func(levels int) string {
			return `{"a":` + strings.Repeat(`[`, levels-2) + `{}` + strings.Repeat(`]`, levels-2) + `}`
		},
	} {
		// Each of these is read in another way.
		for _, body := range []string{`{"context":%s}`, `{"context":%s,"further":true}`, `{"subject":{"properties":%s}}`} {
			if _, err := decodeEvaluation(fmt.Appendf(nil, body, nested(pdp.MaxDepth))); err != nil {
				t.Errorf("%d levels of %s in %s: %v", pdp.MaxDepth, name, body, err)
			}
			for _, levels := range []int{pdp.MaxDepth + 1, 9_000, 100_000} {
				if _, err := decodeEvaluation(fmt.Appendf(nil, body, nested(levels))); authz.KindOf(err) != authz.Invalid {
					t.Errorf("%d levels of %s in %s: error = %v, want one of kind invalid", levels, name, body, err)
				}
			}
		}
	}
	if _, err := decodeEvaluation([]byte(`{"context":{"a":` + strings.Repeat("[", 100_000))); authz.KindOf(err) != authz.Invalid {
		t.Errorf("100000 arrays: error = %v, want one of kind invalid", err)
	}
}

func TestNumbersAtTheLimit(t *testing.T) {
	for _, number := range []string{"0", "-0.0", "0e-999", "1E+5", "1.7976931348623157e308", "5e-324", strings.Repeat("1", authz.MaxNumberBytes)} {
		p, err := decodeEvaluation(fmt.Appendf(nil, `{"context":{"n":%s}}`, number))
		if err != nil {
			t.Errorf("%s: %v", number, err)
			continue
		}
		if got := p.context["n"]; got != json.Number(number) {
			t.Errorf("%s was read as %v", number, got)
		}
	}
}

func FuzzDecodeEvaluations(f *testing.F) {
	for _, seed := range []string{
		readRecord,
		`{"evaluations":[{"context":{"n":1e5}},{}],"options":{"evaluations_semantic":"deny_on_first_deny"}}`,
		`{"context":{"a":[1,{"b":null}],"a":2}}`,
		`{"subject":"alice"}`,
		"{\"subject\":{\"id\":\"\xff\"}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := decodeEvaluations(body)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid {
				t.Errorf("error of kind %v: %v", authz.KindOf(err), err)
			}
			if !utf8.ValidString(err.Error()) {
				t.Errorf("the error is not valid UTF-8: %q", err)
			}
			return
		}
		if !json.Valid(body) {
			t.Fatal("what is no JSON was accepted")
		}
		for _, item := range append(b.items, b.defaults) {
			request := item.or(b.defaults).request("default")
			for _, object := range []authz.Object{request.Subject.Properties, request.Action.Properties, request.Resource.Properties, request.Context} {
				checkObject(t, object, 1)
			}
		}
	})
}

func checkObject(t *testing.T, value any, depth int) {
	t.Helper()
	if depth > pdp.MaxDepth+1 {
		t.Fatal("nesting deeper than the limit was accepted")
	}
	switch value := value.(type) {
	case nil, bool:
	case string:
		if !utf8.ValidString(value) {
			t.Errorf("invalid UTF-8 was accepted: %q", value)
		}
	case json.Number:
		if _, err := value.Float64(); err != nil {
			t.Errorf("the number %s was accepted: %v", value, err)
		}
	case []any:
		for _, element := range value {
			checkObject(t, element, depth+1)
		}
	case authz.Object:
		for _, member := range value {
			checkObject(t, member, depth+1)
		}
	default:
		t.Errorf("a value of type %T came out", value)
	}
}

func TestValuesOfABodyAreCounted(t *testing.T) {
	list := func(values int) []byte {
		return []byte(`{"evaluations": [{"context": {"a": [` + strings.Repeat("0,", values-2) + `0]}}]}`)
	}
	if _, err := decodeEvaluations(list(maxValues)); err != nil {
		t.Errorf("as many as may be: %v", err)
	}
	_, err := decodeEvaluations(list(maxValues + 1))
	if authz.KindOf(err) != authz.LimitExceeded || !strings.Contains(err.Error(), "more than 1000000 values") {
		t.Errorf("one more: %v, want the limit", err)
	}
}
