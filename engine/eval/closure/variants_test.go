package closure

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest"
)

// kinds is a policy about so many actions, each of which is allowed on records.
func kinds(n int) evaltest.Case {
	return evaltest.Case{
		Rego: strings.Join(numbered(n, `allow if { input.action.name == "action-%d"; input.resource.type == "record" }`), "\n") +
			"\ndeny contains input.action.name if input.resource.type == \"secret\"",
	}
}

func kindInput(t *testing.T, c evaltest.Case, action, typ string) eval.Input {
	c.Request = &authz.Request{
		Tenant: evaltest.Tenant, Subject: authz.Subject{Type: "user", ID: "mina"},
		Action: authz.Action{Name: action}, Resource: authz.Resource{Type: typ, ID: "r1"},
	}
	return c.Input(t)
}

func TestVariantIsMadeForRequestsThatComeOften(t *testing.T) {
	c := kinds(3)
	p := c.Prepare(t, New()).(*program)
	in := kindInput(t, c, "action-1", "record")
	for range variantAfter {
		if p.variants.of(in.Request) != nil {
			t.Fatal("there is a variant after too few requests")
		}
	}
	p.variants.of(in.Request)
	for deadline := time.Now().Add(10 * time.Second); p.variants.of(in.Request) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is no variant")
		}
	}
	if p.variants.of(kindInput(t, c, "action-2", "record").Request) != nil {
		t.Error("a request of another kind has a variant")
	}
}

func TestVariantKnowsWhatThePolicyNames(t *testing.T) {
	c := kinds(3)
	p := c.Prepare(t, Evaluator{}).(*program)
	for name, test := range map[string]struct {
		action, typ string
		want        bool
	}{
		"all are named":           {"action-1", "record", true},
		"one is named":            {"juggle", "record", true},
		"none is named":           {"juggle", "ball", false},
		"a name of another field": {"record", "action-1", true},
	} {
		t.Run(name, func(t *testing.T) {
			in := kindInput(t, c, test.action, test.typ)
			if got := p.variants.of(in.Request) != nil; got != test.want {
				t.Errorf("there is a variant: %t, want %t", got, test.want)
			}
			out, err := p.Eval(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			if want := test.action == "action-1" && test.typ == "record"; out.Allow != want {
				t.Errorf("allow = %t, want %t", out.Allow, want)
			}
		})
	}
}

// What a variant knows of a request does not hold for another one, which a with
// makes of it.
func TestVariantKnowsNothingUnderWith(t *testing.T) {
	c := evaltest.Case{Rego: `
allow if {
	may
	not may with input.action.name as "write"
	may with input.action.name as "list"
	may with input as {"action": {"name": "read"}, "resource": {"type": "record"}}
	not may with input as {"action": {"name": "read"}, "resource": {"type": "file"}}
	not may with input.resource.type as "file"
	may with input.context.ip as "192.0.2.1"
}
may if {
	input.action.name in {"read", "list"}
	about("record")
}
about(typ) if input.resource.type == typ
deny contains "another" if { not may; input.action.name == "read" }
deny contains concat(" ", ["may", action]) if {
	some action in ["write", "delete"]
	may with input.action.name as action
}`}
	p := c.Prepare(t, Evaluator{}).(*program)
	in := kindInput(t, c, "read", "record")
	if p.variants.of(in.Request) == nil {
		t.Fatal("there is no variant")
	}
	out, err := p.Eval(t.Context(), in)
	if diff := cmp.Diff(eval.Output{Allow: true}, out); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// There are no more variants than may be; other requests are decided without.
func TestVariantsAreBounded(t *testing.T) {
	var c evaltest.Case
	for i := 0; i < maxVariants+2; i += 50 {
		named := strings.Join(numbered(maxVariants+50, `"action-%d"`)[i:i+50], ", ")
		c.Rego += fmt.Sprintf("allow if { some action in [%s]; input.resource.type == \"record\"; action == input.action.name }\n", named)
	}
	p := c.Prepare(t, Evaluator{}).(*program)
	for i := range maxVariants + 2 {
		action := fmt.Sprintf("action-%d", i)
		in := kindInput(t, c, action, "record")
		out, err := p.Eval(t.Context(), in)
		if err != nil || !out.Allow {
			t.Fatalf("%s: %+v, %v", action, out, err)
		}
		if got, want := p.variants.of(in.Request) != nil, i < maxVariants; got != want {
			t.Fatalf("%s has a variant: %t, want %t", action, got, want)
		}
	}
}

// A policy about more kinds of things finds its rules by tables.
func TestTablesInsteadOfVariants(t *testing.T) {
	for n, want := range map[int]bool{maxVariants / 2: true, maxVariants + 1: false} {
		if got := kinds(n).Prepare(t, Evaluator{}).(*program).variants != nil; got != want {
			t.Errorf("%d actions have variants: %t, want %t", n, got, want)
		}
	}
}

// A variant that would be too large is not made.
func TestVariantIsNoLargerThanItMay(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	c := evaltest.Case{
		Rego: strings.Join(numbered(maxVariantSize, `allow if { input.context.x == %d; input.action.name == "read" }`), "\n"),
	}
	p := c.Prepare(t, Evaluator{}).(*program)
	in := kindInput(t, c, "read", "record")
	if p.variants.of(in.Request) != nil {
		t.Error("there is a variant")
	}
	if _, known := (*p.variants.programs.Load())[knownFields{"", "read", ""}]; !known {
		t.Error("it is not known that there is none")
	}
}

// A variant that cannot be made for a fault of ours leaves the program as it is.
func TestPanicOfAVariantIsContained(t *testing.T) {
	c := kinds(1)
	p := c.Prepare(t, Evaluator{variantAfter: 1}).(*program)
	p.variants.tree = nil // whoever reads it panics
	in := kindInput(t, c, "action-0", "record")
	p.variants.making.Lock()
	p.variants.makeBeside(knownFields{"user", "", ""})
	if out, err := p.Eval(t.Context(), in); err != nil || !out.Allow {
		t.Errorf("%+v, %v", out, err)
	}
	if p.variants.of(in.Request) != nil || !p.variants.full.Load() {
		t.Error("variants are made after that")
	}
}

// Decisions go on while variants are made, and are the same.
func TestVariantsAreMadeBesideDecisions(t *testing.T) {
	const actions = 20
	c := kinds(actions)
	p := c.Prepare(t, New()).(*program)
	made := func() int { return len(*p.variants.programs.Load()) }
	end := time.Now().Add(time.Minute)
	var wait sync.WaitGroup
	for range 4 {
		var asked []eval.Input
		for i := range actions + 1 {
			asked = append(asked, kindInput(t, c, fmt.Sprintf("action-%d", i), "record"))
		}
		wait.Go(func() {
			for i := 0; i < actions*4*variantAfter || made() < actions && time.Now().Before(end); i++ {
				in := asked[i%len(asked)]
				out, err := p.Eval(t.Context(), in)
				if err != nil || out.Allow != (in.Request.Action.Name != "action-20") {
					t.Errorf("%s: %+v, %v", in.Request.Action.Name, out, err)
					return
				}
			}
		})
	}
	wait.Wait()
	if made() < actions {
		t.Errorf("%d variants are made, want %d at least", made(), actions)
	}
}
