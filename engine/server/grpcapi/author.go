package grpcapi

import (
	"context"

	"google.golang.org/grpc/peer"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/caller"
)

// An authored message says why something is written, and for whom.
type authored interface {
	GetReason() string
	GetOnBehalfOf() string
}

// authorOf is who writes what a message asks for.
func authorOf(ctx context.Context, message authored) (authz.Author, error) {
	author := caller.From(ctx).Author()
	if author.Address == "" {
		author.Address = addressOf(ctx)
	}
	author.Reason = message.GetReason()
	if text := message.GetOnBehalfOf(); text != "" {
		ref, err := refOf("on_behalf_of", text)
		if err != nil {
			return authz.Author{}, err
		}
		author.OnBehalfOf = ref
	}
	return author, author.Validate()
}

// addressOf is where a call comes from: an IP address, or unix.
func addressOf(ctx context.Context) string {
	from, known := peer.FromContext(ctx)
	if !known {
		return ""
	}
	return caller.AddressOf(from.Addr)
}

func authorMessage(author *authz.Author) *verdictv1.Author {
	if author == nil {
		return nil
	}
	return &verdictv1.Author{
		Subject:    author.Subject.String(),
		Method:     author.Method,
		Address:    author.Address,
		OnBehalfOf: author.OnBehalfOf.String(),
		Reason:     author.Reason,
	}
}

func sameAuthor(a, b *authz.Author) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
