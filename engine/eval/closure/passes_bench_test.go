package closure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// passCases are, by pass, a policy that shows what it is for: one that is
// decided the same without it, and slower.
func passCases() map[string]evaltest.Case {
	return map[string]evaltest.Case{
		// A collection of constants is made anew for every decision otherwise.
		"constants": {
			Rego: `
allow if {
	level := {"list": 1, "open": 2, "read": 3, "send": 4, "share": 5}[input.action.name]
	input.context.level >= level
}`,
			Request: asks(authz.Object{"level": 7}),
		},
		// What is read once goes by way of a place of its own otherwise.
		"inline": {
			Rego: `
allow if {
	total := (input.context.amount * input.context.rate) + (input.context.fee - input.context.discount)
	abs(total - input.context.limit) + max([total, 1]) < (input.context.limit * 2) + 1
}`,
			Request: asks(authz.Object{"amount": 10, "rate": 3, "fee": 4, "discount": 2, "limit": 40}),
		},
		// A collection of several values is filled one by one otherwise.
		"literals": {
			Rego: `
allow if {
	key := [input.subject.type, input.subject.id, input.action.name, input.resource.type, input.resource.id]
	concat("/", key) == "user/mina/read/record/r1"
}`,
		},
		// The items are gone through for a rule that does not apply otherwise.
		"hoist": {
			Rego: `
allow if {
	count([item | some item in data.items; item.price < input.context.most]) > 10
	input.action.name == "approve"
}
allow if input.action.name == "read"`,
			Data:    itemData(100),
			Request: asks(authz.Object{"most": 50}),
		},
		// The items behind the first that will do are looked at otherwise.
		"exits": {
			Rego: `
allow if {
	some item in data.items
	item.price < input.context.most
}`,
			Data:    itemData(100),
			Request: asks(authz.Object{"most": 50}),
		},
		// All that is permitted is collected otherwise.
		"demand": {
			Rego: strings.Join(numbered(50, `permits contains "permission-%d" if { some action in data.actions; action != input.context.revoked }`), "\n") + `
allow if permits[input.context.asked]`,
			Data:    `{"actions": ["list", "read", "write"]}`,
			Request: asks(authz.Object{"asked": "permission-7", "revoked": "write"}),
		},
		// The rules are tried one after another otherwise.
		"dispatch": {
			Rego:    strings.Join(numbered(500, `allow if { input.context.kind == "kind-%d"; input.action.name == "read" }`), "\n"),
			Request: asks(authz.Object{"kind": "kind-400"}),
		},
		// Each rule matches its pattern otherwise.
		"filters": {
			Rego:    strings.Join(numbered(500, `allow if { glob.match("kind-%d:*", [":"], input.context.kind); input.action.name == "read" }`), "\n"),
			Request: asks(authz.Object{"kind": "kind-400:x"}),
		},
		// What follows from the data alone is found for every decision otherwise.
		"static": {
			Rego: `
readers := {role | some role, permissions in data.roles; "record:read" in permissions}
allow if input.context.role in readers`,
			Data:    roleData(50),
			Request: asks(authz.Object{"role": "role-7"}),
		},
		// Each condition is a call, whose value is remembered, otherwise.
		"calls": {
			Rego: `
allow if {
	from_inside
	at_work
	not _suspended
}
from_inside if net_is_ours
net_is_ours if input.context.net == "ours"
at_work if input.context.hour > 7
_suspended if input.context.state == "suspended"`,
			Request: asks(authz.Object{"net": "ours", "hour": 9, "state": "active"}),
		},
		// Each rule asks again what the request is about otherwise.
		"variants": {
			Rego: `
allow if { about_records; input.action.name in {"read", "list"}; not about_people }
about_records if input.resource.type in {"record", "file"}
about_people if { input.resource.type in {"user", "role"}; input.action.name != "list" }
deny contains "services write" if { input.subject.type == "service"; input.action.name in {"read", "list"} }
deny contains "no people" if about_people
deny contains "no such action" if not known_action
known_action if { some action in acts[input.resource.type]; action == input.action.name }
acts := {"record": {"read", "list", "write"}, "file": {"read"}, "user": {"read"}}`,
		},
	}
}

// asks is the request of the cases with a context.
func asks(context authz.Object) *authz.Request {
	return &authz.Request{
		Tenant:   evaltest.Tenant,
		Subject:  authz.Subject{Type: "user", ID: "mina"},
		Action:   authz.Action{Name: "read"},
		Resource: authz.Resource{Type: "record", ID: "r1"},
		Context:  context,
	}
}

// itemData is static data of so many items with prices from 0 on.
func itemData(n int) string {
	return fmt.Sprintf(`{"items": [%s]}`, strings.Join(numbered(n, `{"price": %d}`), ","))
}

// roleData is static data of so many roles, all of which may read records.
func roleData(n int) string {
	return fmt.Sprintf(`{"roles": {%s}}`, strings.Join(numbered(n, `"role-%d": ["record:list", "record:read", "menu:read"]`), ","))
}

// numbered are texts with the numbers below n in them.
func numbered(n int, format string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

// What a pass is measured on is decided the same without it.
func TestPassCasesAreDecidedTheSame(t *testing.T) {
	cases := passCases()
	if len(cases) != allPasses {
		t.Errorf("%d cases for %d passes", len(cases), allPasses)
	}
	for _, p := range namedPasses() {
		t.Run(p.name, func(t *testing.T) {
			c := cases[p.name]
			for side, evaluator := range map[string]Evaluator{"on": {}, "off": {off: p.pass}} {
				got, err := c.Prepare(t, evaluator).Eval(t.Context(), c.Input(t))
				if err != nil {
					t.Fatalf("%s: %v", side, err)
				}
				if diff := cmp.Diff(eval.Output{Allow: true}, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", side, diff)
				}
			}
		})
	}
}

// BenchmarkPass measures what each pass is worth where it is of use: on is the
// compiler as it is, off leaves the pass out.
//
//	go test -run '^$' -bench Pass -benchtime 2000x ./engine/eval/closure
func BenchmarkPass(b *testing.B) {
	cases := passCases()
	for _, p := range namedPasses() {
		others := variantsPass &^ p.pass // which would do some of their work
		for _, side := range []struct {
			name      string
			evaluator Evaluator
		}{{"on", Evaluator{off: others}}, {"off", Evaluator{off: others | p.pass}}} {
			b.Run(p.name+"/"+side.name, func(b *testing.B) {
				c := cases[p.name]
				program, in := c.Prepare(b, side.evaluator), c.Input(b)
				if _, err := program.Eval(b.Context(), in); err != nil { // which makes the variant
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := program.Eval(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
