package evaltest

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Reference answers queries by OPA's own evaluator, on OPA's own store.
func Reference(ctx context.Context, q Query) ([]map[string]ast.Value, error) {
	query, err := newReference(q)
	if err != nil {
		return nil, err
	}
	data, err := ast.JSON(q.Data)
	if err != nil {
		return nil, err
	}
	var answers []map[string]ast.Value
	store := inmem.NewFromObjectWithOpts(data.(map[string]any), inmem.OptRoundTripOnWrite(false))
	err = storage.Txn(ctx, store, storage.TransactionParams{}, func(txn storage.Transaction) error {
		return query.WithStore(store).WithTransaction(txn).Iter(ctx, func(result topdown.QueryResult) error {
			answer := make(map[string]ast.Value, len(result))
			for name, term := range result {
				answer[string(name)] = term.Value
			}
			answers = append(answers, answer)
			return nil
		})
	})
	return answers, err
}

// newReference is the query, still without documents to read.
func newReference(q Query) (*topdown.Query, error) {
	body, err := q.Body()
	if err != nil {
		return nil, err
	}
	compiler := q.Compiler.QueryCompiler()
	if body, err = compiler.Compile(body); err != nil {
		return nil, err
	}
	return topdown.NewQuery(body).
		WithCompiler(q.Compiler).
		WithQueryCompiler(compiler).
		WithInput(q.Input).
		WithStrictBuiltinErrors(q.Strict), nil
}
