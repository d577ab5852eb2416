package evaltest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// faultCases are evaluations that do not come to their end: each is an error,
// wherever in the policy it happens.
func faultCases() []Case {
	return []Case{
		{
			Name: "a built-in's error in allow",
			Rego: `allow if 1 / data.directory.user.mina.attributes.zero == 1
allow if true`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "divide by zero",
		},
		{
			Name:      "a built-in's error under not",
			Rego:      `allow if not 1 / data.directory.user.mina.attributes.zero == 1`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "divide by zero",
		},
		{
			Name: "a built-in's error inside deny",
			Rego: `allow if true
deny contains "no" if to_number(data.directory.user.mina.attributes.text) > 3`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "to_number",
		},
		{
			Name:      "a built-in's error inside a comprehension",
			Rego:      `allow if count([x | x := 1 / data.directory.user.mina.attributes.zero]) == 0`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "divide by zero",
		},
		{
			Name: "a built-in's error in obligations",
			Rego: `allow if true
obligations["until"] := time.parse_rfc3339_ns(data.directory.user.mina.attributes.text)`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "parsing time",
		},
		{
			Name: "an error names its place",
			Rego: `allow if {
	input.tenant
	1 / data.directory.user.mina.attributes.zero == 1
}`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "policy.rego:6",
		},
		{
			Name: "conflicting values of a rule",
			Rego: `allow := true if input.action.name == "read"
allow := false if input.resource.type == "record"`,
			Kind: authz.Evaluation, Text: "conflict",
		},
		{
			Name: "conflicting values of a function under not",
			Rego: `allow if not f(input.action.name) == 3
f(x) := 1 if x == "read"
f(x) := 2 if x != "write"`,
			Kind: authz.Evaluation, Text: "conflict",
		},
		{
			Name: "conflicting values of one obligation",
			Rego: `allow if true
obligations[k] := v if some k, v in {"a": 1}
obligations[k] := v if { some k in ["a"]; v := count(input.action.name) }`,
			Kind: authz.Evaluation, Text: "object keys must be unique",
		},
		{
			Name:      "allow of another type",
			Rego:      `allow := data.directory.user.mina.attributes.text`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "rule allow is of type string: it must be a boolean",
		},
		{
			Name: "deny of another type",
			Rego: `allow if true
deny := data.directory.user.mina.attributes.list`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "rule deny is of type array: it must be a set of strings",
		},
		{
			Name: "a member of deny of another type",
			Rego: `allow if true
deny contains data.directory.user.mina.attributes.zero`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "rule deny has a member of type number",
		},
		{
			Name: "reasons of another type",
			Rego: `allow if true
reasons := data.directory.user.mina.attributes`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "rule reasons is of type object",
		},
		{
			Name: "obligations of another type",
			Rego: `allow if true
obligations := data.directory.user.mina.attributes.list`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "rule obligations is of type array: it must be an object",
		},
		{
			Name: "a name of an obligation of another type",
			Rego: `allow if true
obligations := {data.directory.user.mina.attributes.zero: 1}`,
			Directory: zero,
			Kind:      authz.Evaluation, Text: "rule obligations has a name of type number",
		},
		{
			Name:      "one entity more than the limit",
			Rego:      `allow if count(data.directory.user) > 0`,
			Directory: ward,
			Entities:  1,
			Kind:      authz.LimitExceeded, Text: "more than 1 entities",
		},
		{
			Name: "the limit of entities under not",
			Rego: `allow if {
	not data.directory.user.ghost
	not data.directory.user.olga.attributes.title == "nurse"
}`,
			Directory: ward,
			Entities:  1,
			Kind:      authz.LimitExceeded, Text: "more than 1 entities",
		},
		{
			Name: "the limit of entities inside a comprehension",
			Rego: `allow if count([r | some r; data.directory.ref[r]]) < 100
deny contains "never" if false`,
			Directory: ward,
			Entities:  3,
			Kind:      authz.LimitExceeded, Text: "more than 3 entities",
		},
	}
}

// zero is a directory to go wrong on, unseen by the compiler.
const zero = `{"entity": {"type": "user", "id": "mina", "attributes": {"zero": 0, "text": "two", "list": ["a"]}}}`

// endless are policies that run for as long as they are let.
var endless = map[string]string{
	"in the policy": `allow if {
	some a in numbers.range(1, 1000)
	some b in numbers.range(1, 1000)
	some c in numbers.range(1, 1000)
	a * b * c == 0
}`,
	"in a built-in": `allow if count(graph.reachable_paths(input.context.graph, {"a0"})) == 0`,
}

// runContext checks that an evaluation ends with its context, and with the
// context's own error.
func runContext(t *testing.T, evaluator eval.Evaluator) {
	for name, text := range endless {
		t.Run(name, func(t *testing.T) {
			c := Case{Rego: text, Request: request()}
			c.Request.Context = authz.Object{"graph": layers(60)}
			program := c.Prepare(t, evaluator)
			for _, explain := range []bool{false, true} {
				in := c.Input(t)
				in.Explain = explain

				ctx, cancel := context.WithCancel(t.Context())
				stop := time.AfterFunc(time.Millisecond, cancel)
				_, err := program.Eval(ctx, in)
				stop.Stop()
				checkError(t, err, authz.Canceled, "canceled")

				ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
				_, err = program.Eval(ctx, in)
				cancel()
				checkError(t, err, authz.DeadlineExceeded, "deadline")
			}
		})
	}
}

// last is a directory during whose first read the time ends.
type last struct {
	eval.Directory
	end context.CancelFunc
}

func (l last) Entity(ctx context.Context, typ, id string) (eval.Entity, error) {
	l.end()
	return l.Directory.Entity(ctx, typ, id)
}

// runLateAnswer checks that an answer which comes after the end of its context
// is none, be it that nothing looked at the context in between.
func runLateAnswer(t *testing.T, evaluator eval.Evaluator) {
	c := Case{Rego: `allow if data.directory.user.mina.id == "mina"`, Directory: ward}
	program := c.Prepare(t, evaluator)
	for _, explain := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		in := c.Input(t)
		in.Explain = explain
		in.Directory = last{in.Directory, cancel}
		out, err := program.Eval(ctx, in)
		checkError(t, err, authz.Canceled, "canceled")
		if out.Allow {
			t.Error("a late answer allows")
		}
	}
}

// broken is a directory that cannot be read.
type broken struct{ err error }

func (b broken) Entity(context.Context, string, string) (eval.Entity, error) { return nil, b.err }

func (b broken) EachEntity(context.Context, string, func(eval.Entity) bool) error { return b.err }

func (b broken) EachType(context.Context, func(string) bool) error { return b.err }

func (b broken) Contains(*ast.Array, *ast.Term) (found, known bool) { return false, false }

// runFailingDirectory checks that what a directory reports comes out as it is,
// wherever the policy reads.
func runFailingDirectory(t *testing.T, evaluator eval.Evaluator) {
	failure := authz.Errorf(authz.Unavailable, "the disk is gone")
	for name, text := range map[string]string{
		"in a body":               `allow if data.directory.user.mina.attributes.level > 1`,
		"under not":               `allow if not data.directory.user.mina.attributes.suspended`,
		"under two nots":          "allow if not locked\nlocked if not data.directory.user.mina",
		"in a comprehension":      `allow if count({x | x := data.directory.user.mina}) == 0`,
		"in every":                `allow if every x in data.directory.user { x.id == "mina" }`,
		"by ref":                  `allow if not data.directory.ref["user:mina"]`,
		"in a type":               `allow if not data.directory.user`,
		"in all types":            `allow if count({t | some t; data.directory[t]}) == 0`,
		"in all of data":          `allow if not data[input.action.name].x`,
		"in deny":                 "allow if true\ndeny contains \"no\" if data.directory.user.mina.attributes.locked == true",
		"as an argument":          "allow if f(data.directory.user.mina.id) == \"x\"\nallow if true\nf(x) := x",
		"where the index looks":   "allow if not blocked\nblocked if data.directory.user.mina.attributes.state == \"a\"\nblocked if data.directory.user.mina.attributes.state == \"b\"",
		"in the head":             "allow if true\nreasons contains data.directory.user.mina.id",
		"in a default's override": "default allow := true\nallow := false if data.directory.user.mina.attributes.bad == true",
	} {
		t.Run(name, func(t *testing.T) {
			c := Case{Rego: text}
			program := c.Prepare(t, evaluator)
			for _, explain := range []bool{false, true} {
				in := c.Input(t)
				in.Explain = explain
				in.Directory = broken{failure}
				if name == "in all of data" {
					in.Request.Action.Name = "directory"
				}
				_, err := program.Eval(t.Context(), in)
				if !errors.Is(err, failure) {
					t.Errorf("explained %v: error is %v, not the directory's", explain, err)
				}
			}
		})
	}
}

// runManyAtOnce checks that a program is safe for use by many goroutines.
func runManyAtOnce(t *testing.T, evaluator eval.Evaluator) {
	c := Case{Rego: covered, Directory: ward}
	program := c.Prepare(t, evaluator)
	var group sync.WaitGroup
	for i := range 8 {
		in := c.Input(t)
		in.Explain = i%2 == 0
		group.Go(func() {
			for range 20 {
				if out, err := program.Eval(t.Context(), in); err != nil || !out.Allow {
					t.Errorf("allow is %v, error %v", out.Allow, err)
				}
			}
		})
	}
	group.Wait()
}
