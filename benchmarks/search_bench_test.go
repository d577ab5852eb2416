package benchmarks

import (
	"fmt"
	"io"
	"testing"
	"testing/fstest"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// searched allows by ownership or department. Deleting depends on what no index
// answers.
const searched = `package authz

import rego.v2

user := data.directory.user[input.subject.id]
document := data.directory.document[input.resource.id] if input.resource.type == "document"

allow if {
	input.action.name in {"read", "write"}
	document.attributes.owner == user.ref
}
allow if {
	input.action.name == "read"
	some department in user.parents
	document.ancestors[department]
}
allow if {
	input.action.name == "delete"
	document.attributes.age > 95
	document.attributes.owner != user.ref
}
allow if {
	input.action.name == "read"
	input.resource.type == "note"
	data.directory.note[input.resource.id].attributes.author == user.ref
}

actions := {
	"read", "write", "delete", "share", "print", "sign", "archive", "restore", "copy", "move",
	"rename", "comment", "approve", "reject", "publish", "export", "import", "lock", "unlock", "audit",
}
`

// BenchmarkSearch finds the 50 documents of 100,000 that a user may read, 25 as
// their owner and 25 in their department; decides all 100,000 where no index leads
// to the candidates; finds which of 20 actions a user may do; and goes through the
// 10,000 notes that a user wrote in pages of 100.
//
//	go test -run '^$' -bench Search -benchtime 2s ./benchmarks
func BenchmarkSearch(b *testing.B) {
	const documents = 100_000
	p := openPoint(b, writeSearched(documents), readSearched).decisions
	request := &authz.Request{
		Tenant: tenant, Subject: authz.Subject{Type: "user", ID: "u1"},
		Action: authz.Action{Name: "read"}, Resource: authz.Resource{Type: "document", ID: "doc0000001"},
	}
	search := func(b *testing.B, s pdp.Search, want int, method pdp.SearchMethod) {
		b.ReportAllocs()
		candidates, pages := 0, 0
		for b.Loop() {
			found := 0
			for s.Token = ""; ; {
				page, err := p.Search(b.Context(), s)
				if err != nil || page.Method != method {
					b.Fatal(page.Method, page.Notes, err)
				}
				found += len(page.IDs)
				candidates += page.Candidates
				pages++
				if s.Token = page.Next; s.Token == "" {
					break
				}
			}
			if found != want {
				b.Fatalf("found %d, want %d", found, want)
			}
		}
		b.ReportMetric(float64(candidates)/b.Elapsed().Seconds(), "candidates/s")
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(pages), "µs/page")
	}
	b.Run("index", func(b *testing.B) {
		search(b, pdp.Search{For: pdp.Resources, Request: request, Limit: pdp.MaxSearchLimit}, 50, pdp.ByIndex)
	})
	b.Run("scan", func(b *testing.B) {
		deleting := *request
		deleting.Action.Name = "delete"
		search(b, pdp.Search{For: pdp.Resources, Request: &deleting, Limit: pdp.MaxSearchLimit}, documents*4/100, pdp.ByScan)
	})
	b.Run("actions", func(b *testing.B) {
		search(b, pdp.Search{For: pdp.Actions, Request: request}, 2, pdp.ByScan)
	})
	b.Run("pages", func(b *testing.B) {
		notes := *request
		notes.Resource.Type = "note"
		search(b, pdp.Search{For: pdp.Resources, Request: &notes, Limit: 100}, searchedNotes, pdp.ByIndex)
	})
}

// readSearched reads the policy searched.
func readSearched(func()) (*bundle.Bundle, error) {
	return bundle.ReadFS(fstest.MapFS{"policy/authz.rego": {Data: []byte(searched)}}, "policy")
}

// searchedNotes is how many notes the user of BenchmarkSearch wrote.
const searchedNotes = 10_000

// writeSearched writes so many documents, and the user of BenchmarkSearch with what
// they wrote.
func writeSearched(documents int) func(io.Writer) error {
	return func(w io.Writer) error {
		fmt.Fprintln(w, `{"entity": {"type": "department", "id": "d1"}}`)
		fmt.Fprintln(w, `{"entity": {"type": "user", "id": "u1", "attributes": {"title": "nurse"}, "parents": ["department:d1"]}}`)
		for i := range searchedNotes {
			fmt.Fprintf(w, `{"entity": {"type": "note", "id": "note%07d", "attributes": {"author": "user:u1"}}}`+"\n", i)
		}
		for i := range documents {
			owner, department := fmt.Sprintf("u%d", 2+i%1000), fmt.Sprintf("d%d", 2+i%100)
			switch {
			case i >= 1 && i <= 25:
				owner = "u1"
			case i >= 1001 && i <= 1025:
				department = "d1"
			}
			_, err := fmt.Fprintf(w, `{"entity": {"type": "document", "id": "doc%07d", "attributes": {"age": %d, "owner": "user:%s"}, "parents": ["department:%s"]}}`+"\n", i, i%100, owner, department)
			if err != nil {
				return err
			}
		}
		return nil
	}
}
