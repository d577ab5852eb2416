package generate

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// The values that all is made of.
var (
	someNumbers = []json.Number{"0", "1", "1", "2", "2", "3", "10", "-1", "1.5", "9007199254740993"}
	someTexts   = []string{"a", "a", "b", "c", "read", "u1", "r1", "user:u1", "group:g1", "x/y", "3", "10", ""}
	someKeys    = []string{"a", "a", "b", "c", "k", "read"}
)

// A document is one of the base documents.
type document struct {
	ref string
	typ *typ
}

// documents are the base documents, and their names in refs. Those below
// data.helper stand beside the rules of that package.
var documents = []document{
	{"data.names", strs},
	{"data.counts", nums},
	{"data.levels", numMap},
	{"data.labels", strMap},
	{"data.flags", truthMap},
	{"data.items", recs},
	{"data.table", recMap},
	{"data.graph", graph},
	{"data.matrix", matrix},
	{"data.helper.extra", rec},
	{"data.helper.more", numMap},
	{"data.directory.user", entityMap},
	{"data.directory.user", entityMap},
	{"data.directory.record", entityMap},
	{"data.directory.ref", entityMap},
	{"input.context", rec},
	{"input.context", rec},
	{"input.subject.properties", rec},
	{"input.resource.properties", rec},
	{"input.subject.id", str},
	{"input.resource.id", str},
	{"input.resource.type", str},
	{"input.subject.type", str},
	{"input.action.name", str},
	{"input.tenant", str},
}

// data is the static data.
func (w *writer) data() string {
	all := make(map[string]any)
	for _, d := range documents {
		path := strings.Split(d.ref, ".")
		if path[0] != "data" || path[1] == "directory" || w.chance(4) {
			continue
		}
		parent := all
		for _, name := range path[1 : len(path)-1] {
			if parent[name] == nil {
				parent[name] = make(map[string]any)
			}
			parent = parent[name].(map[string]any)
		}
		parent[path[len(path)-1]] = w.value(d.typ)
	}
	return toJSON(all)
}

// value is a value of a type, and now and then of another.
func (w *writer) value(t *typ) any {
	if w.chance(2) {
		t = pick(w.source, num, str, truth, strs, numMap)
		if w.chance(10) {
			return nil
		}
	}
	switch t.kind {
	case number:
		return pick(w.source, someNumbers...)
	case text:
		return pick(w.source, someTexts...)
	case boolean:
		return w.chance(70)
	case array:
		members := make([]any, w.below(4))
		for i := range members {
			members[i] = w.value(t.elem)
		}
		return members
	case mapping:
		members := make(map[string]any)
		for range 1 + w.below(3) {
			members[pick(w.source, someKeys...)] = w.value(t.elem)
		}
		return members
	default:
		return w.record(t)
	}
}

// record has most of the fields that it may have.
func (w *writer) record(t *typ) map[string]any {
	fields := make(map[string]any)
	for _, f := range t.fields {
		if w.chance(85) {
			fields[f.name] = w.value(f.typ)
		}
	}
	return fields
}

// request is a request, of a user on a record most of the time.
func (w *writer) request() authz.Request {
	return authz.Request{
		Subject: authz.Subject{
			Type:       pick(w.source, subjectTypes...),
			ID:         pick(w.source, "u1", "u1", "u2", "ghost"),
			Properties: w.record(rec),
		},
		Action:   authz.Action{Name: pick(w.source, actionNames...)},
		Resource: authz.Resource{Type: pick(w.source, resourceTypes...), ID: pick(w.source, "r1", "r1", "r2", "x/y"), Properties: w.record(rec)},
		Context:  w.record(rec),
	}
}

// directory has a few users, groups and departments above them, records, roles
// and grants.
func (w *writer) directory() string {
	lines := &strings.Builder{}
	put := func(typ, id string, parents ...string) {
		if w.chance(10) {
			return
		}
		var above []string
		for _, parent := range parents {
			if w.chance(50) {
				above = append(above, parent)
			}
		}
		attributes := w.record(rec)
		if typ == "role" {
			attributes["permissions"] = []string{pick(w.source, "record:read", "record:write", "*:read"), "a:read"}
		}
		fmt.Fprintln(lines, toJSON(map[string]any{"entity": map[string]any{"type": typ, "id": id, "attributes": attributes, "parents": above}}))
	}
	for _, id := range []string{"u1", "u2", "u3"} {
		put("user", id, "group:g1", "group:g2", "department:d1")
	}
	put("group", "g1", "department:d1")
	put("group", "g2", "group:g1", "department:gone")
	put("department", "d1", "department:d2")
	put("department", "d2")
	put("record", "r1", "department:d1", "user:u1")
	put("record", "r2", "record:r1")
	put("role", "reader")
	put("role", "editor", "role:reader")
	for i := range w.below(4) {
		fields := map[string]any{
			"id":      fmt.Sprintf("grant%d", i),
			"subject": pick(w.source, "user:u1", "group:g1", "department:d1", "user:u2"),
			"role":    pick(w.source, "role:reader", "role:editor"),
		}
		if w.chance(60) {
			fields["scope"] = pick(w.source, "department:d1", "record:r1")
		}
		if w.chance(50) {
			fields["not_before"] = pick(w.source, "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
		}
		fmt.Fprintln(lines, toJSON(map[string]any{"grant": fields}))
	}
	return lines.String()
}

// toJSON is a value as JSON; members of objects stand in the order of their
// names.
func toJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // all values are ours
	}
	return string(text)
}
