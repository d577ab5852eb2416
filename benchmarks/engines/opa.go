package engines

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/verdictpdp/verdict/benchmarks/scenario"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/rego"
)

// OPA is what a Go program has that uses OPA as it comes, at its best: a
// prepared query on parsed input, over a store in memory that yields values
// without converting them, with the whole directory in it.
type OPA struct{}

// Name is "opa".
func (OPA) Name() string { return "opa" }

// Activate prepares the query.
func (OPA) Activate(ctx context.Context, b *bundle.Bundle) error {
	_, err := prepare(ctx, b, inmem.New())
	return err
}

// Open prepares the query and parses the input of every question.
func (OPA) Open(ctx context.Context, s scenario.Scenario, w *scenario.World) (Point, error) {
	data, err := document(ctx, w)
	if err != nil {
		return nil, err
	}
	p := &plain{ctx: ctx, now: w.Now, questions: w.Questions, whole: s.Whole}
	if p.query, err = prepare(ctx, w.Bundle, inmem.NewFromASTObject(data)); err != nil {
		return nil, err
	}
	parts := eval.PartsOf(w.Requests())
	for _, question := range w.Questions {
		input, err := parts.Document(question.Request)
		if err != nil {
			return nil, err
		}
		p.inputs = append(p.inputs, input.Value)
	}
	return p, nil
}

// prepare asks for those rules of the decision that the bundle has.
func prepare(ctx context.Context, b *bundle.Bundle, store storage.Store) (opa.PreparedEvalQuery, error) {
	options := []func(*opa.Rego){opa.Store(store)}
	defined := make(map[string]bool)
	for _, module := range b.Modules {
		options = append(options, opa.ParsedModule(module.Parsed))
		if module.Parsed.Package.Path.String() != "data."+rego.DefaultPackage {
			continue
		}
		for _, rule := range module.Parsed.Rules {
			defined[rule.Head.Ref()[0].String()] = true
		}
	}
	var members []string
	for _, rule := range []string{rego.Allow, rego.Deny, rego.Reasons, rego.Obligations} {
		if defined[rule] {
			members = append(members, fmt.Sprintf("%q: data.%s.%s", rule, rego.DefaultPackage, rule))
		}
	}
	options = append(options, opa.Query("{"+strings.Join(members, ", ")+"}"))
	return opa.New(options...).PrepareForEval(ctx)
}

// A plain point evaluates the prepared query.
type plain struct {
	ctx       context.Context
	query     opa.PreparedEvalQuery
	now       time.Time
	questions []scenario.Question
	inputs    []ast.Value
	whole     bool
}

// Decide evaluates the query on parsed input; where the whole way from a
// request is asked for, it makes that input first.
func (p *plain) Decide(i int) (bool, error) {
	decided, err := p.eval(i)
	if err != nil {
		return false, err
	}
	deny, _ := decided[rego.Deny].([]any)
	return decided[rego.Allow] == true && len(deny) == 0, nil
}

// Answer is all that the query yields.
func (p *plain) Answer(i int) (Answer, error) {
	decided, err := p.eval(i)
	if err != nil {
		return Answer{}, err
	}
	deny, reasons := texts(decided[rego.Deny]), texts(decided[rego.Reasons])
	obligations, _ := decided[rego.Obligations].(map[string]any)
	text, err := details(deny, reasons, obligations)
	return Answer{decided[rego.Allow] == true && len(deny) == 0, text}, err
}

func (p *plain) eval(i int) (map[string]any, error) {
	input := p.inputs[i]
	if p.whole {
		term, err := eval.Document(p.questions[i].Request)
		if err != nil {
			return nil, err
		}
		input = term.Value
	}
	results, err := p.query.Eval(p.ctx, opa.EvalParsedInput(input), opa.EvalTime(p.now))
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("the query yields %d results: each of its rules must be defined", len(results))
	}
	return results[0].Expressions[0].Value.(map[string]any), nil
}

// texts are the strings of a set, sorted.
func texts(set any) []string {
	members, _ := set.([]any)
	var all []string
	for _, member := range members {
		all = append(all, member.(string))
	}
	slices.Sort(all)
	return all
}

// entityBytes are more than an entity takes with all its members.
const entityBytes = 16 << 10

// document is everything under data: a bundle's own and the directory as
// policies see it, which is what pip.Reader.WriteDocument writes. It is not
// written and read again, for the parts of several entities are shared that
// way, which makes a document of a gigabyte of one of several.
func document(ctx context.Context, w *scenario.World) (ast.Object, error) {
	data, err := ast.InterfaceToValue(w.Bundle.Data)
	if err != nil {
		return nil, err
	}
	reader := pip.NewCache(pip.Options{MaxBytes: int64(len(w.Entities)+1) * entityBytes}).Reader(directory(w).Latest(), math.MaxInt)
	byType := make(map[string][][2]*ast.Term)
	byRef := make([][2]*ast.Term, 0, len(w.Entities))
	for _, e := range w.Entities {
		entity, err := reader.Entity(ctx, e.Ref.Type, e.Ref.ID)
		if err != nil {
			return nil, err
		}
		term, err := entity.Value(ctx)
		if err != nil {
			return nil, err
		}
		byType[e.Ref.Type] = append(byType[e.Ref.Type], [2]*ast.Term{ast.StringTerm(e.Ref.ID), term})
		byRef = append(byRef, [2]*ast.Term{ast.StringTerm(e.Ref.String()), term})
	}
	all := [][2]*ast.Term{{ast.StringTerm("ref"), ast.ObjectTerm(byRef...)}}
	for typ, members := range byType {
		all = append(all, [2]*ast.Term{ast.StringTerm(typ), ast.ObjectTerm(members...)})
	}
	object := data.(ast.Object)
	object.Insert(ast.StringTerm("directory"), ast.ObjectTerm(all...))
	return object, nil
}
