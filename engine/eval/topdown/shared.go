package topdown

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
)

// NewStore is the store of a program for whoever brings queries of their own,
// such as a test runner: static data, and a directory that open yields anew for
// each transaction.
func NewStore(static map[string]any, open func() eval.Directory) (storage.Store, error) {
	data, err := ast.InterfaceToValue(static)
	if err != nil {
		return nil, authz.Errorf(authz.Invalid, "the static data: %w", err)
	}
	return sharedStore{static: data.(ast.Object), open: open}, nil
}

type sharedStore struct {
	store
	static ast.Object
	open   func() eval.Directory
}

// NewTransaction begins to read.
func (s sharedStore) NewTransaction(ctx context.Context, _ ...storage.TransactionParams) (storage.Transaction, error) {
	return &transaction{ctx: ctx, directory: s.open(), static: s.static}, nil
}
