package evaltest

import (
	"context"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/policy/rego"
)

// Reference answers queries by OPA's own evaluator, on OPA's own store.
func Reference(ctx context.Context, q Query) ([]map[string]ast.Value, error) {
	return byTopdown(ctx, q, func(query *topdown.Query) *topdown.Query { return query })
}

// byTopdown answers a query by OPA's evaluator with settings of one's own.
func byTopdown(ctx context.Context, q Query, set func(*topdown.Query) *topdown.Query) ([]map[string]ast.Value, error) {
	query, store, err := q.forTopdown(ctx)
	if err != nil {
		return nil, err
	}
	var answers []map[string]ast.Value
	err = storage.Txn(ctx, store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		return set(query()).WithTransaction(txn).Iter(ctx, func(result topdown.QueryResult) error {
			answer := make(map[string]ast.Value, len(result))
			for name, term := range result {
				if !name.IsWildcard() {
					answer[string(name)] = term.Value
				}
			}
			answers = append(answers, answer)
			return nil
		})
	})
	return answers, err
}

// forTopdown makes a query ready to be answered many times, each by another of
// topdown's, and the store that it is about.
func (q Query) forTopdown(ctx context.Context) (query func() *topdown.Query, store storage.Store, err error) {
	body, err := q.Body()
	if err != nil {
		return nil, nil, err
	}
	compiler := q.Compiler.QueryCompiler()
	if body, err = compiler.Compile(body); err != nil {
		return nil, nil, err
	}
	if endless := rego.EndlessMock(q.Compiler, body); endless != nil {
		return nil, nil, endless
	}
	documents, err := q.documents(ctx)
	if err != nil {
		return nil, nil, err
	}
	store = inmem.NewFromASTObject(documents)
	return func() *topdown.Query {
		return topdown.NewQuery(body).
			WithCompiler(q.Compiler).
			WithQueryCompiler(compiler).
			WithInput(q.Input).
			WithStore(store).
			WithTime(q.Now).
			WithStrictBuiltinErrors(q.Strict)
	}, store, nil
}

// documents are the base documents, with the directory as a whole.
func (q Query) documents(ctx context.Context) (ast.Object, error) {
	if q.Directory == nil {
		return q.Data, nil
	}
	var types []string
	if err := q.Directory.EachType(ctx, func(typ string) bool { types = append(types, typ); return true }); err != nil {
		return nil, err
	}
	directory, byRef := ast.NewObject(), ast.NewObject()
	for _, typ := range types {
		entities := ast.NewObject()
		var failure error
		err := q.Directory.EachEntity(ctx, typ, func(e eval.Entity) bool {
			var value *ast.Term
			if value, failure = e.Value(ctx); failure != nil {
				return false
			}
			entities.Insert(ast.StringTerm(strings.TrimPrefix(e.Ref(), typ+":")), value)
			byRef.Insert(ast.StringTerm(e.Ref()), value)
			return true
		})
		if err != nil {
			return nil, err
		}
		if failure != nil {
			return nil, failure
		}
		directory.Insert(ast.StringTerm(typ), ast.NewTerm(entities))
	}
	directory.Insert(ast.StringTerm("ref"), ast.NewTerm(byRef))
	all, _ := q.Data.Merge(ast.NewObject([2]*ast.Term{ast.StringTerm("directory"), ast.NewTerm(directory)}))
	return all, nil
}
