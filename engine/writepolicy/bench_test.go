package writepolicy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
)

// BenchmarkWrite gives a role to a person, and to a group of a thousand, where no
// policy is asked about writes, where one without rules for them is, and where one is
// that knows roles which exclude each other.
func BenchmarkWrite(b *testing.B) {
	const people = 1_000
	var lines strings.Builder
	for i := range people {
		fmt.Fprintf(&lines, `{"entity":{"type":"user","id":"u%d","parents":["group:all"]}}`+"\n", i)
		fmt.Fprintf(&lines, `{"grant":{"id":"own%d","subject":"user:u%d","role":"role:payment_preparer","scope":"department:finance"}}`+"\n", i, i)
	}
	rules := map[string]func(string) (map[string]eval.Rule, error){
		"unasked": nil,
		"without": always(nil),
		"with":    always(rulesOf(b, bundles.FS, "workforce", closure.New())),
	}
	for _, name := range []string{"unasked", "without", "with"} {
		for _, subject := range []string{"user:u1", "group:all"} {
			b.Run(name+"/"+subject, func(b *testing.B) {
				d, err := directory.Open(directory.Options{Tenants: []string{tenant}})
				if err != nil {
					b.Fatal(err)
				}
				if rules[name] != nil {
					d = newDirectory(b, rules[name])
				}
				if _, err := d.Import(b.Context(), tenant, strings.NewReader(lines.String()), directory.ImportOptions{}); err != nil {
					b.Fatal(err)
				}
				ref, _ := authz.ParseEntityRef(subject)
				n := 0
				b.ReportAllocs()
				for b.Loop() {
					n++
					grant := authz.Grant{ID: "more", Subject: ref, Role: authz.EntityRef{Type: "role", ID: "payment_preparer"}, Reason: fmt.Sprint(n)}
					if _, err := d.Write(b.Context(), tenant, authz.Batch{Changes: []authz.Change{{PutGrant: &grant}}}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
