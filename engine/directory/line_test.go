package directory_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

func TestParseLine(t *testing.T) {
	mina, old := user("mina"), authz.EntityRef{Type: "user", ID: "with:colon"}
	g0 := "g0"
	tests := []struct {
		name string
		line string
		want authz.Change
		// canonical is the line as it is exported, if it is another.
		canonical string
	}{
		{"entity", `{"entity":{"type":"user","id":"mina","attributes":{"title":"nurse"},"parents":["department:icu"]}}`,
			authz.Change{PutEntity: &authz.Entity{Ref: mina, Attributes: []byte(`{"title":"nurse"}`), Parents: []authz.EntityRef{{Type: "department", ID: "icu"}}}}, ""},
		{"entity with space and in another order", ` { "entity" : { "parents" : [ ] , "attributes" : { } , "id" : "mina" , "type" : "user" } } `,
			authz.Change{PutEntity: &authz.Entity{Ref: mina}}, `{"entity":{"type":"user","id":"mina"}}`},
		{"numbers keep their text", `{"entity":{"type":"user","id":"mina","attributes":{"b":1.50,"a":123456789012345678901234567890,"c":-0}}}`,
			authz.Change{PutEntity: &authz.Entity{Ref: mina, Attributes: []byte(`{"a":123456789012345678901234567890,"b":1.50,"c":-0}`)}},
			`{"entity":{"type":"user","id":"mina","attributes":{"a":123456789012345678901234567890,"b":1.50,"c":-0}}}`},
		{"grant", `{"grant":{"id":"g1","subject":"user:mina","role":"role:nurse","scope":"department:icu","not_before":"2026-01-01T00:00:00Z","not_after":"2026-07-01T00:00:00.000000001Z","reason":"ward rota"}}`,
			authz.Change{PutGrant: &authz.Grant{ID: "g1", Subject: mina, Role: authz.EntityRef{Type: "role", ID: "nurse"}, Scope: authz.EntityRef{Type: "department", ID: "icu"},
				NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 7, 1, 0, 0, 0, 1, time.UTC), Reason: "ward rota"}}, ""},
		{"grant with an offset", `{"grant":{"id":"g1","subject":"user:mina","role":"role:nurse","not_after":"2026-01-01T01:00:00.50+01:00"}}`,
			authz.Change{PutGrant: &authz.Grant{ID: "g1", Subject: mina, Role: authz.EntityRef{Type: "role", ID: "nurse"}, NotAfter: time.Date(2026, 1, 1, 0, 0, 0, 5e8, time.UTC)}},
			`{"grant":{"id":"g1","subject":"user:mina","role":"role:nurse","not_after":"2026-01-01T00:00:00.5Z"}}`},
		{"delete entity", `{"delete":{"entity":"user:with:colon"}}`, authz.Change{DeleteEntity: &old}, ""},
		{"delete grant", `{"delete":{"grant":"g0"}}`, authz.Change{DeleteGrant: &g0}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			change, err := directory.ParseLine([]byte(test.line))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, change); diff != "" {
				t.Errorf("change (-want +got):\n%s", diff)
			}
			canonical := test.canonical
			if canonical == "" {
				canonical = test.line
			}
			if got := string(directory.AppendLine(nil, change)); got != canonical+"\n" {
				t.Errorf("canonical line\n%s, expected\n%s", got, canonical)
			}
		})
	}
}

func TestParseLineRefuses(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"nothing", `{}`, "expected one of entity, grant, delete"},
		{"no object", `[]`, "is an array: expected an object"},
		{"no JSON", `entity`, "malformed JSON"},
		{"half of it", `{"entity":{"type":"user"`, "malformed JSON"},
		{"something after it", `{"delete":{"grant":"g"}} {}`, "expected one object a line"},
		{"an unknown member", `{"user":{}}`, `unknown member "user": expected one of entity, grant, delete`},
		{"a member in other letters", `{"Entity":{}}`, `unknown member "Entity"`},
		{"two members", `{"delete":{"grant":"g"},"entity":{}}`, `second member "entity"`},
		{"a member twice", `{"entity":{"type":"user","type":"user","id":"mina"}}`, "duplicate"},
		{"null", `{"entity":null}`, "entity: is null: expected an object"},
		{"an unknown member of an entity", `{"entity":{"type":"user","id":"mina","name":"Mina"}}`, `entity.name: unknown member "name": expected one of type, id, attributes, parents`},
		{"an entity without a type", `{"entity":{"id":"mina"}}`, "entity.type: is missing"},
		{"an entity without an id", `{"entity":{"type":"user"}}`, "entity.id: is missing"},
		{"an id that is a number", `{"entity":{"type":"user","id":1}}`, "entity.id: is a number: expected a string"},
		{"an id too long", `{"entity":{"type":"user","id":"` + strings.Repeat("x", authz.MaxIDBytes+1) + `"}}`, "at most 512"},
		{"an id that is no UTF-8", "{\"entity\":{\"type\":\"user\",\"id\":\"\xff\"}}", "UTF-8"},
		{"half a surrogate", `{"entity":{"type":"user","id":"\ud800"}}`, "surrogate"},
		{"a type in capitals", `{"entity":{"type":"User","id":"mina"}}`, `entity type "User"`},
		{"a reserved type", `{"entity":{"type":"tenant","id":"mina"}}`, "reserved"},
		{"attributes that are a list", `{"entity":{"type":"user","id":"mina","attributes":[]}}`, "entity.attributes: is an array: expected an object"},
		{"attributes that are null", `{"entity":{"type":"user","id":"mina","attributes":null}}`, "entity.attributes: is null"},
		{"attributes with a name twice", `{"entity":{"type":"user","id":"mina","attributes":{"a":1,"a":2}}}`, "duplicate"},
		{"a number without end", `{"entity":{"type":"user","id":"mina","attributes":{"a":["\\\"",{"n":-1e99999}]}}}`, "entity.attributes: -1e99999 lies outside the range of a double"},
		{"attributes too deep", `{"entity":{"type":"user","id":"mina","attributes":` + strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33) + `}}`, "nested 33 deep"},
		{"parents that are a string", `{"entity":{"type":"user","id":"mina","parents":"group:a"}}`, "entity.parents: is a string: expected an array of refs"},
		{"a parent without a colon", `{"entity":{"type":"user","id":"mina","parents":["a"]}}`, `entity.parents: entity ref "a" has no colon`},
		{"too many parents", `{"entity":{"type":"user","id":"mina","parents":[` + strings.Repeat(`"group:a",`, authz.MaxParents+1) + `1]}}`, "entity.parents: there are more than 1000: at most 1000 are allowed"},
		{"a parent twice", `{"entity":{"type":"user","id":"mina","parents":["group:a","group:a"]}}`, `entity.parents: "group:a" stands twice`},
		{"its own parent", `{"entity":{"type":"user","id":"mina","parents":["user:mina"]}}`, `entity.parents: "user:mina" is its own parent`},
		{"a grant without a role", `{"grant":{"id":"g","subject":"user:mina"}}`, "grant.role: is missing"},
		{"a grant of no role", `{"grant":{"id":"g","subject":"user:mina","role":"user:olga"}}`, `grant.role: "user:olga" is no role`},
		{"an empty scope", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","scope":""}}`, "grant.scope"},
		{"a time without an offset", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_after":"2026-01-01T00:00:00"}}`, "grant.not_after: \"2026-01-01T00:00:00\": expected a time as RFC 3339"},
		{"a date", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_after":"2026-01-01"}}`, "RFC 3339"},
		{"a time with a comma", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_after":"2026-01-01T00:00:00,5Z"}}`, "RFC 3339"},
		{"a time finer than nanoseconds", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_after":"2026-01-01T00:00:00.0000000001Z"}}`, "RFC 3339"},
		{"the time that means none", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_after":"0001-01-01T00:00:00Z"}}`, "leave the member out"},
		{"a window that never opens", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","not_before":"2026-01-01T00:00:00Z","not_after":"2026-01-01T00:00:00Z"}}`, "grant.not_after: "},
		{"a reason too long", `{"grant":{"id":"g","subject":"user:mina","role":"role:r","reason":"` + strings.Repeat("x", authz.MaxReasonBytes+1) + `"}}`, "at most 1024"},
		{"a deletion of nothing", `{"delete":{}}`, "delete: nothing is named"},
		{"a deletion of two", `{"delete":{"grant":"g","entity":"user:mina"}}`, `second member "entity"`},
		{"a deletion of a number", `{"delete":{"grant":1}}`, "delete.grant: is a number: expected a string"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := directory.ParseLine([]byte(test.line))
			wantKind(t, err, authz.Invalid, test.want)
		})
	}
}

// FuzzParseLine holds that nothing panics, that errors have their kind, and
// that a line's canonical form reads back as the same change.
func FuzzParseLine(f *testing.F) {
	for _, line := range []string{
		`{"entity": {"type": "user", "id": "mina", "attributes": {"title": "nurse", "n": [1.0, -0, 1e300, null]}, "parents": ["department:icu"]}}`,
		`{"entity":{"type":"role","id":"nurse","attributes":{"permissions":["patient_record:read","*:*"]}}}`,
		`{"grant":  {"id": "g1", "subject": "user:mina", "role": "role:nurse", "scope": "department:icu", "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-07-01T00:00:00.5+23:59", "reason": "\u2028"}}`,
		`{"delete": {"entity": "user:old"}}`,
		`{"delete": {"grant": "\u0000"}}`,
		`{"entity":{"type":"user","id":"\ud83d\ude00"}}`,
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		change, err := directory.ParseLine(line)
		if err != nil {
			if authz.KindOf(err) != authz.Invalid {
				t.Fatalf("error %v of kind %s", err, authz.KindOf(err))
			}
			return
		}
		canonical := directory.AppendLine(nil, change)
		again, err := directory.ParseLine(canonical)
		if err != nil {
			t.Fatalf("%s: %v", canonical, err)
		}
		if diff := cmp.Diff(change, again); diff != "" {
			t.Fatalf("%s reads back as another change (-first +second):\n%s", canonical, diff)
		}
		if twice := directory.AppendLine(nil, again); string(twice) != string(canonical) {
			t.Fatalf("canonical line\n%s becomes\n%s", canonical, twice)
		}
	})
}
