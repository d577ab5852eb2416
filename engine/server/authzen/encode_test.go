package authzen

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
)

func TestAppendValue(t *testing.T) {
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"nothing", nil, `null`},
		{"booleans", []any{true, false}, `[true,false]`},
		{"text", "a", `"a"`},
		{"text to be escaped", "\"\\\n\x00\u2028é<", `"\"\\\n\u0000` + "\u2028é<\""},
		{"text that is no UTF-8", "a\xff", `"a` + "\ufffd\""},
		{"a number", json.Number("9007199254740993.50"), `9007199254740993.50`},
		{"an object in the order of its names", authz.Object{"b": json.Number("1"), "a": authz.Object{}, "": []any{}}, `{"":[],"a":{},"b":1}`},
		{"a value of another type", map[string]int{"<": 1}, `{"<":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := appendValue([]byte("x"), tt.value)
			if err != nil || string(got) != "x"+tt.want {
				t.Errorf("written as %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	for _, number := range []string{"abc", "1 ", "1e", "01", "-", ".5", "1,2", `"`} {
		if got, err := appendValue(nil, []any{json.Number(number)}); err == nil {
			t.Errorf("the number %s is written as %s", number, got)
		}
	}
}

func TestAnswerThatCannotBeWritten(t *testing.T) {
	for path, body := range map[string]string{evaluationPath: readRecord, evaluationsPath: `{"evaluations":[` + readRecord + `]}`} {
		handler := newHandler(decideFunc(func(*authz.Request) (authz.Decision, error) {
			return authz.Decision{Allowed: true, Obligations: authz.Object{"a": json.Number("secret")}}, nil
		}))
		response := post(t, handler, path, body)
		if failed := failureIn(t, response); response.Code != http.StatusInternalServerError || strings.Contains(response.Body.String(), "secret") {
			t.Errorf("%s: %d %+v, want an internal error", path, response.Code, failed)
		}
	}
}

// TestLongAnswersSayHowLong holds that an answer that net/http would cut into chunks
// comes with its length.
func TestLongAnswersSayHowLong(t *testing.T) {
	handler := newHandler(decideFunc(func(*authz.Request) (authz.Decision, error) {
		return authz.Decision{Reasons: []string{strings.Repeat("a", 100_000)}}, nil
	}))
	response := post(t, handler, evaluationPath, readRecord)
	if got, want := response.Header().Get("Content-Length"), strconv.Itoa(response.Body.Len()); got != want || len(want) < 6 {
		t.Errorf("Content-Length = %q, want %q", got, want)
	}
}

// FuzzAppend holds what is written to encoding/json.
func FuzzAppend(f *testing.F) {
	f.Add("reason", "name", `{"a":[1,"é\u0000",null,{"b":true}]}`, uint64(1), true)
	f.Add("\xff", "", `{}`, uint64(0), false)
	f.Fuzz(func(t *testing.T, reason, id, obligations string, revision uint64, failed bool) {
		decision := authz.Decision{Allowed: true, Reasons: []string{reason, id}, ID: id, PolicyRevision: reason, DirectoryRevision: revision}
		parsed, err := readEvaluation([]byte(`{"context":` + obligations + `}`))
		if err == nil {
			decision.Obligations = parsed.context
		}
		if failed {
			decision.Err = authz.Errorf(authz.Evaluation, "%s", reason)
		}
		for leaveOut := range AllMembers + 1 {
			text, err := evaluationResponse{decision, leaveOut}.appendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			if !utf8.Valid(text) {
				t.Fatalf("%q is no UTF-8", text)
			}
			decoder := json.NewDecoder(strings.NewReader(string(text)))
			decoder.UseNumber()
			var got map[string]any
			if err := decoder.Decode(&got); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			context, _ := got["context"].(map[string]any)
			if got["decision"] != !failed || failed != (context["error"] != nil) {
				t.Fatalf("%s, failed = %v", text, failed)
			}
			if len(decision.Obligations) > 0 && !leaveOut.has(Obligations) {
				if diff := cmp.Diff(map[string]any(decision.Obligations), context["obligations"]); diff != "" {
					t.Errorf("obligations (-want +got):\n%s", diff)
				}
			}
			if _, shown := context["decision_id"]; shown == leaveOut.has(DecisionID) {
				t.Errorf("%s leaves out %b", text, leaveOut)
			}
		}
	})
}
