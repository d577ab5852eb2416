package databases

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// A doc is a row, and an entity.
type doc struct {
	id                      string
	owner, title, city, key *string
	pages, score            *json.Number
	open                    *bool
	tags                    []string
	sizes                   []json.Number
	parents                 []string
}

func (d doc) entity() authz.Entity {
	attributes := authz.Object{"tags": d.tags, "sizes": d.sizes}
	if d.owner != nil {
		attributes["owner"] = *d.owner
	}
	if d.title != nil {
		attributes["title"] = *d.title
	}
	if d.city != nil {
		attributes["address"] = map[string]any{"city": *d.city}
	}
	if d.key != nil {
		attributes["key"] = *d.key
	}
	if d.pages != nil {
		attributes["pages"] = *d.pages
	}
	if d.score != nil {
		attributes["score"] = *d.score
	}
	if d.open != nil {
		attributes["open"] = *d.open
	}
	e := authz.Entity{Ref: authz.EntityRef{Type: "doc", ID: d.id}}
	e.Attributes, _ = json.Marshal(attributes)
	for _, parent := range d.parents {
		e.Parents = append(e.Parents, ref(parent))
	}
	return e
}

func ref(text string) authz.EntityRef {
	typ, id, _ := strings.Cut(text, ":")
	return authz.EntityRef{Type: typ, ID: id}
}

// above are the departments above a parent, itself included.
var above = map[string][]string{"department:a": {"department:a", "department:b"}, "department:b": {"department:b"}}

var (
	textValues = []string{
		"a", "A", "b", "", "a'b", `a"b`, "a%", "a_b", "É", "é", "e\u0301", "ss", "ß", "日本", "\U0001F600", "\uffff", "user:u1", "user:U1", "user:u1 ", "user:u2",
		`\`, `\%`, "%", "_", "*", "[a]", "a ", " a", "a\n", "a\tb", "\u00ad", "NULL", "1", "1.0", "10", "9", "true", "$1", "?", "--",
	}
	numberValues = []json.Number{"0", "1", "2", "-1", "1.5", "0.1", "10", "9", "100", "2.0", "-0.0", "9007199254740993", "9223372036854775807", "1e3", "0.30000000000000004"}
	doubleValues = []json.Number{"0", "1", "-1", "1.5", "0.1", "10", "0.3", "0.30000000000000004", "1e-7", "9007199254740992", "1e20"}
	keyValues    = []string{"0b4a2fd1-0000-4000-8000-00000000000a", "0b4a2fd1-0000-4000-8000-00000000000b", "ffffffff-ffff-ffff-ffff-ffffffffffff"}
	tagValues    = []string{"x", "y", "user:u1", "X", "x ", "", "1"}
)

func pointer[T any](value T) *T { return &value }

// A generator writes policies and documents.
type generator struct {
	*rand.Rand
	plain bool // with comparisons of attributes with what is known alone, as UCAST has them
}

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

// maybe is one of several values, or none.
func maybe[T any](g generator, values []T) *T {
	if g.IntN(4) == 0 {
		return nil
	}
	return pointer(values[g.IntN(len(values))])
}

func (g generator) documents(texts []string) (all []doc) {
	for i := range 24 {
		d := doc{id: cmp.Or(map[int]string{0: "a'b", 1: "u1", 2: "É", 3: `x" OR 1=1 --`, 4: "42", 5: `\`, 6: "%"}[i], fmt.Sprintf("d%d", i)), tags: []string{}, sizes: []json.Number{}}
		d.owner, d.title, d.city = maybe(g, texts), maybe(g, texts), maybe(g, texts)
		d.pages, d.score, d.open = maybe(g, numberValues), maybe(g, doubleValues), maybe(g, []bool{true, false})
		d.key = maybe(g, keyValues)
		for _, tag := range tagValues {
			if g.IntN(4) == 0 {
				d.tags = append(d.tags, tag)
			}
		}
		for _, size := range []json.Number{"1", "2.0", "-1.5"} {
			if g.IntN(4) == 0 {
				d.sizes = append(d.sizes, size)
			}
		}
		for _, parent := range []string{"department:a", "department:b"} {
			if g.IntN(3) == 0 {
				d.parents = append(d.parents, parent)
			}
		}
		all = append(all, d)
	}
	return all
}

func literal(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}

func (g generator) constant() string {
	switch g.IntN(8) {
	case 0:
		return "null"
	case 1:
		return g.pick("true", "false")
	case 2:
		return g.number()
	case 3:
		return literal(doubleValues[g.IntN(len(doubleValues))])
	}
	return g.text()
}

func (g generator) number() string { return literal(numberValues[g.IntN(len(numberValues))]) }
func (g generator) text() string   { return literal(g.pick(textValues...)) }
func (g generator) attribute() string {
	return g.pick("owner", "title", "pages", "score", "open", "address.city")
}

// comparison compares an attribute with a constant, mostly of its own type.
func (g generator) comparison(operators ...string) string {
	attribute, with := g.attribute(), g.constant()
	if g.IntN(5) > 0 {
		switch attribute {
		case "pages", "score":
			with = g.number()
		case "key":
			with = literal(g.pick(append(slices.Clone(keyValues), "0B4A2FD1-0000-4000-8000-00000000000A", "0b4a2fd1", "")...))
		case "open":
			with = g.pick("true", "false")
		default:
			with = g.text()
		}
	}
	return "R." + attribute + " " + g.pick(operators...) + " " + with
}

// templates are conditions: R stands for the attributes of the resource, A and B for
// attributes, C and D for constants, T for a text, N for a number, L for a list.
var templates = []string{
	"R.A == C", "R.A != C", "R.A < C", "R.A >= C", "R.pages < N", "R.score >= N", "R.score == N", "R.title < T", "R.title >= T", "R.owner > T", "R.owner <= T", "R.open != C", "R.open < true", "R.open == false",
	"R.A in {C, D, T}", "R.A in [C, N, T]", "R.title in {T, \"a\", \"É\", \"x\"}", "R.A in []", "R.A", "not R.A", "not R.A == C", "not R.A != C", "not R.A < C", "not R.A in {C, D}",
	"R.owner == request.subject.ref", "not R.owner == request.subject.ref", "R.owner != request.subject.ref", "R.owner == request.subject.attributes.none", "not R.owner == request.subject.attributes.none",
	"R.owner == request.subject.attributes.friend", "R.pages <= request.subject.attributes.level", "R.title in request.subject.attributes.titles", "not R.title in request.subject.attributes.titles", "R.title in input.context.titles",
	"T in R.tags", `"x" in R.tags`, `not "y" in R.tags`, `not T in R.tags`, `R.tags[_] == request.subject.ref`, "C in R.A", "some v in R.tags\n\tv in {\"x\", \"user:u1\"}", "N in R.sizes", "C in R.L", "some i\n\tR.L[i] == C", "R.sizes[_] == -1.5",
	`startswith(R.key, "0b4a2fd1")`, `R.key in {"0b4a2fd1-0000-4000-8000-00000000000b", "0B4A2FD1-0000-4000-8000-00000000000A", C}`, "startswith(R.title, T)", "endswith(R.owner, T)", "contains(R.title, T)", "contains(R.owner, T)", "not startswith(R.title, T)", `startswith(R.owner, "user:")`, "not contains(R.title, T)", "not endswith(R.address.city, T)", "startswith(R.address.city, T)",
	`request.resource.ancestors["department:b"]`, `not request.resource.ancestors["department:a"]`, `"department:a" in request.resource.parents`, `request.resource.ancestors["doc:u1"]`, `"doc:\\" in request.resource.ancestors`, `not "doc:%" in request.resource.ancestors`,
	`not request.resource.parents[_] == "department:b"`, `count(hierarchy.ancestors_of_type(request.resource, "department")) > 0`, `some v in request.resource.ancestors` + "\n\t" + `startswith(v, "doc:d1")`,
	"input.resource.id == T", `input.resource.id in {"a'b", "d7", "É", "42", "\\"}`, "input.resource.id == input.subject.id", "not input.resource.id == \"42\"", `request.resource.ref == "doc:d5"`, `request.resource.ref != "doc:%"`,
	"is_string(R.A)", "is_number(R.A)", "not is_boolean(R.open)", "is_array(R.L)", "not is_null(R.A)",
	`object.get(R, "A", C) == D`, `object.get(R, "A", C) == C`, `object.get(R, "owner", "a") == T`, `not object.get(R, "open", false)`, `object.get(R, "open", true)`,
	"rbac.permitted", "not rbac.permitted", "helper(request.resource)", "not helper(request.resource)", "count(set) > 0", "count(set) == 0", "not set[1]", "2 in set", "marked", "not marked",
	"v := R.A\n\tnot v == C", "v := R.A\n\tv == C", "R.A == R.B", "R.A != R.B", "R.A < R.B", "not R.A == R.B", "R.owner == R.title", "R.pages >= R.score",
	"every tag in {\"x\", \"y\"} { tag in R.tags }", "every v in [T, C] { v != R.A }", "every v in numbers.range(0, 40) { not R.pages == v }", "every v in request.subject.attributes.titles { R.title != v }", "every v in input.context.titles { R.title == v }",
	`request.subject.attributes.titles[_] == R.title`, "some v in request.subject.attributes.titles\n\tstartswith(R.title, v)",

	"input.resource.properties.A == C", "K", "K", "not K",
	"some v in [T, C]\n\tR.A == v\n\tR.B == v", "v := R.A\n\tv != C\n\tnot v == D", "{\"a\": 1, \"b\": 2}[R.A] >= 1", "[T, \"a\"][_] == R.A", "some i\n\t[T, \"a\", C][i] == R.A\n\ti > 0",
	"some name in [\"owner\", \"title\"]\n\tRR[name] == T", "some name in [\"owner\", \"pages\"]\n\tnot RR[name]", "every name in [\"owner\", \"open\"] { not RR[name] == C }", "object.get(RR, [\"address\", \"city\"], T) == C", "object.get(R.address, \"city\", T) == C",
	"both(R.A, R.B)", "not both(R.A, R.B)", "guess(R.A)", "not guess(R.A)", "ranked(R.title) > 1", "not ranked(R.owner) == 1", "not {\n\t\tR.A == C\n\t\tR.B != D\n\t}",
	"every k, v in {\"a\": 1, \"b\": 2} {\n\t\tR.title != k\n\t\tR.pages != v\n\t}", "request.resource.type == \"doc\"", "data.directory.doc[input.resource.id].attributes.A == C", "data.directory.ref[concat(\":\", [\"doc\", input.resource.id])].attributes.A == C",
	"some v in data.directory.doc\n\tv.id == input.resource.id\n\tv.attributes.A == C", "concat(\":\", [\"doc\", input.resource.id]) == \"doc:u1\"", "R.owner == concat(\":\", [\"user\", input.subject.id])", "R.pages < time.now_ns()", "time.now_ns() > R.score",
	"R.owner in R.tags", "R.tags[_] == R.owner", "some v in R.tags\n\tv == R.title", "some v in R.tags\n\tstartswith(v, \"user:\")", "some v in R.sizes\n\tv > 1", "some v in request.resource.ancestors\n\tv in {\"department:a\", \"department:z\"}", "some v in request.subject.ancestors\n\trequest.resource.ancestors[v]",
	"count(request.resource.parents) == 0", "request.resource.distances[\"department:b\"] <= 1", "request.resource.parents[0] == \"department:a\"", "some v in set\n\tv == 2", "set[v]\n\tv > 1", "label == T", "not label == T", "input.resource.id != T", "R.A == R.A", "not R.A == R.A", "R.A != R.A",
	"R.A == C or R.B == D", "not (R.A == C and R.B != D)", "(R.A == C or T in R.tags) and not R.B == D", "v := R.A\n\tv == C or v == D", "x := R.A == C\n\tx == false", "x := R.A < C\n\tnot x", "(R.A == C) == (R.B == D)", "[R.A, R.B] == [C, D]", "[C, v] = [R.A, R.B]\n\tv != D", "{\"k\": R.A} == {\"k\": C}", "R.A == C\n\tR.A != C", "rbac.permitted\n\tK", "is_null(object.get(RR, \"owner\", null))", "not is_null(object.get(RR, \"pages\", null))",
}

// plainTemplates are those that UCAST has as well.
var plainTemplates = []string{
	"K", "K", "K", "not K", "not K", "R.A in {C, D, T}", "not R.A in {C, D, N}", "R.A", "not R.A", "R.owner == request.subject.ref", "not R.owner == request.subject.ref", "R.pages <= request.subject.attributes.level",
	"not R.pages < N", "not R.score >= N", "startswith(R.title, T)", "not contains(R.owner, T)", "input.resource.id in {\"a'b\", \"d7\", \"42\"}", "not input.resource.id == \"d7\"", "object.get(R, \"A\", C) == D", "v := R.A\n\tnot v == C", "marked", "not marked",
}

// others are conditions that no filter has.
var others = []string{
	"X == R.A with input.context.x as C", "lower(R.owner) == \"a\"", "R.pages + 1 == 2", "count(R.tags) > 1", `sprintf("%v", [R.A]) == T`, "R.tags == []", "R.address == {\"city\": T}",
	"count({1 | R.A == C}) > 0", "{1 | R.A == C} == set()", "count([v | some v in R.tags; v == T]) == 0", "R.owner == request.resource.ref", "every tag in R.tags { tag != T }", "R.tags[_] != T", "graded", "grade == 1", "not grade == 2",
}

func (g generator) condition() string {
	from := templates
	switch {
	case g.plain:
		from = plainTemplates
	case g.IntN(30) == 0:
		from = others
	}
	template := strings.NewReplacer("X == ", "input.context.x == ", "K", g.comparison("==", "==", "!=", "<", "<=", ">", ">=")).Replace(g.pick(from...))
	template = strings.ReplaceAll(template, `(R, "A"`, fmt.Sprintf(`(R, %q`, g.pick("owner", "title", "pages", "open")))
	template = strings.NewReplacer("(R, ", "(request.resource.attributes, ").Replace(template)
	return strings.NewReplacer("RR[", "request.resource.attributes[", "RR,", "request.resource.attributes,", "R.", "request.resource.attributes.").Replace(g.fill(template))
}

func (g generator) fill(template string) string {
	return strings.NewReplacer("R.A", "R."+g.attribute(), "R.B", "R."+g.attribute(), "R.L", "R."+g.pick("tags", "sizes"), "C", g.constant(), "D", g.constant(), "T", g.text(), "N", g.number()).Replace(template)
}

func (g generator) body() string {
	lines := make([]string, 1+g.IntN(3))
	for i := range lines {
		lines[i] = "\t" + g.condition()
	}
	return "{\n" + strings.Join(lines, "\n") + "\n}\n"
}

func (g generator) policy() string {
	var text strings.Builder
	text.WriteString("package authz\n\nimport " + g.pick("rego.v2", "rego.v2", "rego.v1") + "\n\nimport data.verdict.hierarchy\nimport data.verdict.rbac\nimport data.verdict.request\n\n" + g.pick("default allow := false\n", ""))
	for range 1 + g.IntN(3) {
		text.WriteString("allow if " + g.body())
	}
	for range g.IntN(3) {
		text.WriteString("deny contains " + g.pick(`"no"`, `sprintf("%v", [request.resource_ref])`, `sprintf("%v", [request.resource.attributes.owner])`) + " if " + g.body())
	}
	if g.IntN(8) == 0 {
		text.WriteString("allow := false if " + g.body())
	}
	text.WriteString("helper(e) if {\n\te.attributes." + g.fill(g.attribute()+" == C") + "\n}\nhelper(e) if e.ancestors[\"department:a\"]\n")
	resource := "request.resource.attributes."
	text.WriteString("set contains 1 if " + g.fill(resource+g.attribute()+" != C") + "\nset contains 2 if " + g.fill("T in "+resource+"tags\n"))
	text.WriteString("default marked := false\nmarked if " + g.fill(resource+g.attribute()+" == C") + "\n")
	text.WriteString("graded if " + g.fill(resource+g.attribute()+" == C") + " else := false if " + g.fill(resource+g.attribute()+" == C") + "\n")
	text.WriteString(g.pick("default grade := 0\n", "") + "grade := 1 if " + g.fill(resource+g.attribute()+" == C") + " else := 2 if " + g.fill(resource+g.attribute()+" != D") + "\n")
	text.WriteString("both(a, b) if {\n\ta == " + g.constant() + "\n\tb != " + g.constant() + "\n}\nboth(_, b) if b == " + g.constant() + "\n")
	text.WriteString("default guess(_) := false\nguess(a) if a == " + g.constant() + "\nguess(a) if a != " + g.constant() + "\n")
	text.WriteString("ranked(\"a\") := 1\nranked(\"b\") := 2\nranked(" + g.text() + ") := 2\n")
	text.WriteString("label := " + resource + g.pick("title", "owner") + "\n")
	return text.String()
}
