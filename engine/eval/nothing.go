package eval

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
)

// NoDirectory is a directory that knows nothing, for a Rule that is asked about
// something else than a decision.
type NoDirectory struct{}

// Entity knows none.
func (NoDirectory) Entity(context.Context, string, string) (Entity, error) { return nil, nil }

// EachEntity visits none.
func (NoDirectory) EachEntity(context.Context, string, func(Entity) bool) error { return nil }

// EachType visits none.
func (NoDirectory) EachType(context.Context, func(string) bool) error { return nil }

// Contains knows no array.
func (NoDirectory) Contains(*ast.Array, *ast.Term) (found, known bool) { return false, false }
