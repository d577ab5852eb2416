package authzen

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// requestsOf are the requests of a batch, or the one that it is without evaluations.
func requestsOf(b batch) []*authz.Request {
	requests := []*authz.Request{b.defaults.request("default")}
	for _, item := range b.items {
		requests = append(requests, item.or(b.defaults).request("default"))
	}
	return requests
}

func TestWhatIsPlain(t *testing.T) {
	nested := func(levels int) string {
		return strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1)
	}
	tests := []struct {
		name, body string
		want       bool
	}{
		{"the required members", readRecord, true},
		{"in any order, with white space", " {\n\t\"resource\" : { \"id\" : \"1\" , \"type\" : \"b\" } ,\r\n \"context\" : { } } ", true},
		{"values of every kind", `{"context":{"a":[],"b":[1,-0.5e+3,"x",true,false,null,{"c":{}}],"c":{}}}`, true},
		{"letters beyond ASCII", `{"subject":{"type":"ü","id":"🚀"}}`, true},
		{"nothing", `{}`, true},
		{"evaluations", `{"evaluations":[{},` + readRecord + `],"action":{"name":"read"}}`, true},
		{"no evaluations", `{"evaluations":[]}`, true},
		{"nested as deep as may be", `{"context":` + nested(pdp.MaxDepth) + `}`, true},
		{"nested deeper", `{"context":` + nested(pdp.MaxDepth+1) + `}`, false},
		{"an escape", `{"subject":{"id":"\u0041"}}`, false},
		{"an unknown member", `{"more":1}`, false},
		{"a part that is null", `{"context":null}`, false},
		{"options", `{"options":{}}`, false},
		{"a member twice", `{"context":{},"context":{}}`, false},
		{"an id twice", `{"subject":{"id":"a","id":"b"}}`, false},
		{"a name twice", `{"context":{"a":1,"a":2}}`, false},
		{"a number with a zero before it", `{"context":{"a":01}}`, false},
		{"a number beyond a double", `{"context":{"a":1e999}}`, false},
		{"a comma at the end", `{"context":{"a":1,}}`, false},
		{"more behind it", readRecord + `}`, false},
		{"no end", `{"subject":{"id":"a`, false},
		{"no UTF-8", "{\"subject\":{\"id\":\"\xff\"}}", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, isPlain := plainEvaluations(tt.body); isPlain != tt.want {
				t.Errorf("plain = %v, want %v", isPlain, tt.want)
			}
			checkPlain(t, tt.body)
		})
	}
}

// checkPlain holds that what is plain is read as the decoder reads it.
func checkPlain(t *testing.T, body string) {
	t.Helper()
	if got, isPlain := plainEvaluation(body); isPlain {
		want, err := readEvaluation([]byte(body))
		if err != nil {
			t.Fatalf("%s is plain, but %v", body, err)
		}
		if diff := cmp.Diff(want.request("default"), got.request("default")); diff != "" {
			t.Errorf("%s (-decoder +plain):\n%s", body, diff)
		}
	}
	if got, isPlain := plainEvaluations(body); isPlain {
		want, err := readEvaluations([]byte(body))
		if err != nil {
			t.Fatalf("%s is plain, but %v", body, err)
		}
		if diff := cmp.Diff(requestsOf(want), requestsOf(got)); diff != "" || want.stop != nil {
			t.Errorf("%s (-decoder +plain):\n%s", body, diff)
		}
	}
}

func TestPlainNumberOfEvaluations(t *testing.T) {
	for n, want := range map[int]bool{pdp.MaxBatch: true, pdp.MaxBatch + 1: false} {
		body := `{"evaluations":[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `]}`
		if b, isPlain := plainEvaluations(body); isPlain != want || isPlain && len(b.items) != n {
			t.Errorf("%d evaluations: plain = %v, %d read", n, isPlain, len(b.items))
		}
	}
}

func TestPlainNumberOfValues(t *testing.T) {
	for n, want := range map[int]bool{maxValues: true, maxValues + 1: false} {
		body := `{"context":{"a":[` + strings.Repeat("0,", n-2) + `0]}}`
		if _, isPlain := plainEvaluation(body); isPlain != want {
			t.Errorf("%d values: plain = %v, want %v", n, isPlain, want)
		}
	}
}

// FuzzPlain holds what is read fast to what the decoder reads, and that there is
// no end to it.
func FuzzPlain(f *testing.F) {
	for _, seed := range []string{
		readRecord,
		`{"evaluations":[{"context":{"n":1e5}},{}],"context":{"a":[1,{"b":null}]}}`,
		`{"context":{"a":[-0.0,1E+2,"é",true,false,null,[],{}]}}`,
		" {\"subject\" : {\"id\":\"\x7f\"}} ",
		`{"context":{"":{"":0e0}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) { checkPlain(t, body) })
}
