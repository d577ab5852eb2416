package evaltest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/test/cases"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/util"
)

// RunOPACases holds a querier to the cases that OPA's module ships for versions
// 0 and 1 of Rego, all but the exceptions. The name is the evaluator's. Each
// case is a subtest v0/<note> or v1/<note>. With -short, one in ten is run.
//
// The wording of errors is compared for topdown alone, whose it is. Of another
// evaluator, a case that expects a wording expects the code that this begins
// with.
func RunOPACases(t *testing.T, evaluator string, query Querier) {
	t.Helper()
	registerSleep()
	reasons := exceptedCases(evaluator)
	stale := maps.Clone(reasons)
	for i, c := range opaCases(t) {
		c.wording = evaluator == topdownName
		reason, isException := reasons[c.name]
		delete(stale, c.name)
		if testing.Short() && i%10 != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			if len(c.Env) == 0 {
				t.Parallel() // the environment is the whole process's
			}
			for name, value := range c.Env {
				t.Setenv(name, value)
			}
			failure := c.check(t.Context(), query)
			if isException {
				failure = excepted(failure, reason)
			}
			if failure != nil {
				t.Fatal(failure)
			}
			if isException {
				t.Skip(reason)
			}
		})
	}
	for name := range stale {
		t.Errorf("there is an exception for %s, which is no case", name)
	}
}

// topdownName is the name of the evaluator whose wording OPA's cases expect.
const topdownName = "topdown"

// opaCases are all of OPA's cases.
func opaCases(t testing.TB) []opaCase {
	t.Helper()
	const fewest = 4_000
	var all []opaCase
	for name, version := range map[string]ast.RegoVersion{"v0": ast.RegoV0, "v1": ast.RegoV1} {
		set, err := cases.Load(filepath.Join(opaModule(t), "v1", "test", "cases", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range set.Cases {
			all = append(all, opaCase{TestCase: c, name: name + "/" + c.Note, version: version})
		}
	}
	if len(all) < fewest {
		t.Fatalf("only %d cases were found in OPA's module: it ships more than %d", len(all), fewest)
	}
	slices.SortFunc(all, func(a, b opaCase) int { return strings.Compare(a.name, b.name) })
	return all
}

// opaModule is the directory of OPA's module.
func opaModule(t testing.TB) string {
	t.Helper()
	var said strings.Builder
	list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/open-policy-agent/opa")
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		t.Fatalf("OPA's module, which holds its cases, is not found: %v\n%s", err, said.String())
	}
	return strings.TrimSpace(string(out))
}

// An opaCase is a case of OPA's.
type opaCase struct {
	cases.TestCase
	name    string // v0/ or v1/ and its note
	version ast.RegoVersion
	wording bool // whether the wording of errors is compared
}

// check is nil if a querier answers as the case wants.
func (c opaCase) check(ctx context.Context, query Querier) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	answers, err := query(ctx, q)
	switch {
	case c.WantErrorCode != nil || c.WantError != nil:
		return c.checkError(err)
	case err != nil:
		return err
	case c.WantResult == nil:
		return errors.New("the case wants neither a result nor an error")
	}
	return c.checkAnswers(answers)
}

// query is what the case asks.
func (c opaCase) query() (Query, error) {
	q := Query{
		Text:   c.Query,
		Parser: ast.ParserOptions{RegoVersion: c.version},
		Data:   ast.NewObject(),
		Strict: c.StrictError,
	}
	if c.ExperimentalKeywords {
		q.Parser.Capabilities = ast.CapabilitiesForThisVersion(ast.CapabilitiesExperimentalKeywords(true))
	}
	modules := make(map[string]string, len(c.Modules))
	for i, module := range c.Modules {
		modules[fmt.Sprintf("test-%d.rego", i)] = module
	}
	var err error
	if q.Compiler, err = ast.CompileModulesWithOpt(modules, ast.CompileOpts{ParserOptions: q.Parser}); err != nil {
		return q, err
	}
	if c.Data != nil {
		data, err := ast.InterfaceToValue(*c.Data)
		if err != nil {
			return q, err
		}
		q.Data = data.(ast.Object)
	}
	switch {
	case c.InputTerm != nil:
		q.Input, err = ast.ParseTerm(*c.InputTerm)
	case c.Input != nil:
		var input ast.Value
		input, err = ast.InterfaceToValue(*c.Input)
		q.Input = ast.NewTerm(input)
	}
	return q, err
}

func (c opaCase) checkError(err error) error {
	if err == nil {
		return errors.New("there is no error, but the case wants one")
	}
	fault, isTopdowns := errors.AsType[*topdown.Error](err)
	switch {
	case !isTopdowns:
		return fmt.Errorf("the error is no *topdown.Error, so that it is none of the evaluation: %w", err)
	case c.WantErrorCode != nil && fault.Code != *c.WantErrorCode:
		return fmt.Errorf("the error has the code %s, the case wants %s: %w", fault.Code, *c.WantErrorCode, err)
	case c.WantErrorCode == nil && !strings.Contains(*c.WantError, fault.Code):
		return fmt.Errorf("the error has the code %s, the case wants %q: %w", fault.Code, *c.WantError, err)
	case c.WantError != nil && c.wording && !strings.Contains(err.Error(), *c.WantError):
		return fmt.Errorf("the error is not worded as the case wants, %q: %w", *c.WantError, err)
	}
	return nil
}

// checkAnswers compares sets of answers.
func (c opaCase) checkAnswers(answers []map[string]ast.Value) error {
	want := ast.NewSet()
	for _, answer := range *c.WantResult {
		value, err := ast.InterfaceToValue(answer)
		if err != nil {
			return err
		}
		want.Add(ast.NewTerm(value))
	}
	got := ast.NewSet()
	for _, answer := range answers {
		value, err := c.answer(answer)
		if err != nil {
			return err
		}
		got.Add(value)
	}
	if want.Compare(got) != 0 {
		return fmt.Errorf("the answers are\n\t%v\nthe case wants\n\t%v", got, want)
	}
	return nil
}

// answer is an answer as the cases write it: in JSON.
func (c opaCase) answer(bindings map[string]ast.Value) (*ast.Term, error) {
	answer := ast.NewObject()
	for name, value := range bindings {
		if c.IgnoreGeneratedVars && strings.HasPrefix(name, generated) {
			continue
		}
		plain, err := ast.JSON(value)
		if err != nil {
			return nil, err
		}
		if c.SortBindings {
			slices.SortFunc(plain.([]any), util.Compare)
		}
		asJSON, err := ast.InterfaceToValue(plain)
		if err != nil {
			return nil, err
		}
		answer.Insert(ast.StringTerm(name), ast.NewTerm(asJSON))
	}
	return ast.NewTerm(answer), nil
}

// generated begins the names of the variables that compiling a query makes.
const generated = "__localq"
