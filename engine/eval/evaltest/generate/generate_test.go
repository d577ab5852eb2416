package generate

import (
	"reflect"
	"strings"
	"testing"
)

func TestTheSameSourceIsTheSameCase(t *testing.T) {
	if !reflect.DeepEqual(Seeded(7), Seeded(7)) {
		t.Error("a seed is two cases")
	}
	if reflect.DeepEqual(Seeded(7), Seeded(8)) {
		t.Error("two seeds are one case")
	}
	data := []byte("some bytes")
	if !reflect.DeepEqual(New(data), New(data)) {
		t.Error("bytes are two cases")
	}
	if reflect.DeepEqual(New(data), New(data[:9])) {
		t.Error("other bytes are the same case")
	}
	if string(data) != "some bytes" {
		t.Error("the bytes were changed")
	}
}

// The first choices are the bytes' own, so that a fuzzer that changes a byte
// changes a choice.
func TestBytesAreChoices(t *testing.T) {
	s := fromBytes([]byte{3, 200, 255})
	if a, b, c := s.below(4), s.below(7), s.chance(1); a != 3 || b != 200%7 || c {
		t.Errorf("bytes 3, 200 and 255 chose %d of 4, %d of 7 and a chance of %v", a, b, c)
	}
	if n := s.below(5); n < 0 || n > 4 {
		t.Errorf("beyond the bytes, %d of 5 was chosen", n)
	}
}

func TestAllOfTheLanguageIsWritten(t *testing.T) {
	const seeds = 1000
	modules, queries := &strings.Builder{}, &strings.Builder{}
	for seed := range uint64(seeds) {
		c := Seeded(seed)
		modules.WriteString(c.Modules[Policy])
		modules.WriteString(c.Modules[Helper])
		queries.WriteString(strings.Join(c.Queries, "\n"))
	}
	for _, part := range []string{
		"import rego.v2",
		"default allow := false", "default r1(_) := ", "default r2 := ",
		"} else := ", " contains ", "r3[", "].f := ", "].b contains ", ".a.f := ", "][v", // kinds of rules
		"r0(\"", "r1([v", "r1({\"n\": v", // parameters
		"[v1 | ", "{v2 | ", "{v3: ", // comprehensions
		" with input.context.", " with input as ", " with data.levels", " with data.directory.user.u1", " with count as ", " with data.authz.r1 as ",
		"every v", "not input.", "not {", "some v", " in {", ", v2 in ", " or ", " and ", "$`",
		"input.context.", "data.directory.user[input.subject.id].attributes.", "data.directory.ref[", "data.helper.r0", "data.helper[v", ":= data.helper[v", "; r1[v", "[_]",
		"[v1, _] = ", "}} = {", "split(",
		"count(", "sum(", "to_number(", "regex.match(", "glob.match(", "json.unmarshal(", "time.now_ns()", "graph.reachable(", "walk(", "numbers.range(",
		"input.action.name == ", "input.resource.type in {", "\"}[input.action.name]", "object.get({\"read\": ", " with input.action.name as ", " with input.action as {}",
		" in {v1 | ", " in [v1 | ", " in graph.reachable(", "count({v", ") > 0", "not count(", " == 0", "_ = graph.reachable(",
		".grants\n", ".grants_by_scope[", ".distances\n", " in data.directory.record\n", "data.directory[input.subject.type][input.subject.id]", ".permissions[sprintf(", ".read contains ",
		"sprintf(", "is_set(", "object.union(", "array.concat(", "intersection(", " / ", " % ", "(data.counts",
	} {
		if !strings.Contains(modules.String(), part) {
			t.Errorf("no module of %d has %s", seeds, part)
		}
	}
	for _, part := range []string{"x = data.authz\n", "x = data.helper\n", "x = data.authz.allow\n", "data.authz[x] = y", "[x] = y", " with "} {
		if !strings.Contains(queries.String(), part) {
			t.Errorf("no query of %d is %s", seeds, part)
		}
	}
}
