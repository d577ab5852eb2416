package grpcapi

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

const (
	defaultPageSize = 100
	maxPageSize     = 1_000
	// maxAnswerBytes bounds an answer, give or take one element: clients
	// receive at most 4 MiB unless told otherwise.
	maxAnswerBytes = 2 << 20
	// readAtOnce is how many elements of a page are read from the directory at
	// a time, so that large ones do not pile up behind a page that is full.
	readAtOnce = 50
)

// A pageRequest is a message that asks for a page of a listing.
type pageRequest interface {
	GetTenant() string
	GetConsistency() *verdictv1.Consistency
	GetPageSize() int32
	GetPageToken() string
}

// A listing of elements E makes messages M of them.
type listing[E any, M proto.Message] struct {
	// of says what is listed, to tell its page tokens from others.
	of      []string
	read    func(snapshot *directory.Snapshot, after string, limit int) ([]E, error)
	id      func(E) string
	message func(E) M
}

// A page is a part of a listing, at one revision of the directory.
type page[M any] struct {
	messages []M
	next     string // the token of the next page, empty where there is none
	revision uint64
}

// page reads the page that a message asks for: of the revision in its token, and
// the first page as consistency asks.
func (l listing[E, M]) page(ctx context.Context, keeper Keeper, memory *memory, message pageRequest) (page[M], error) {
	size, err := pageSizeOf(message)
	if err != nil {
		return page[M]{}, err
	}
	tenant := tenantOf(message.GetTenant())
	of := append([]string{tenant}, l.of...)
	token, err := parsePageToken(message.GetPageToken(), of...)
	if err != nil {
		return page[M]{}, err
	}
	consistency := authz.Consistency{Exact: token.revision}
	if token.revision == 0 {
		if consistency, err = consistencyOf(message.GetConsistency()); err != nil {
			return page[M]{}, err
		}
	}
	snapshot, err := keeper.Snapshot(ctx, tenant, consistency)
	if err != nil {
		return page[M]{}, err
	}
	defer snapshot.Close()
	release, err := memory.makePage(ctx)
	if err != nil {
		return page[M]{}, err
	}
	defer release()
	messages, last, err := l.readPage(ctx, snapshot, token.after, size)
	if err != nil {
		return page[M]{}, err
	}
	p := page[M]{messages: messages, revision: snapshot.Revision()}
	if last != "" {
		p.next = pageToken{revision: p.revision, after: last}.text(of...)
	}
	return p, nil
}

func pageSizeOf(message pageRequest) (int, error) {
	size := int(message.GetPageSize())
	if size < 0 || size > maxPageSize {
		return 0, authz.InvalidField("page_size", "%d: expected 1 to %d, or 0 for %d", size, maxPageSize, defaultPageSize)
	}
	return cmp.Or(size, defaultPageSize), nil
}

// readPage reads the messages of a page, and the id to read on after; it is
// empty when there is nothing left to read.
func (l listing[E, M]) readPage(ctx context.Context, snapshot *directory.Snapshot, after string, size int) (page []M, last string, err error) {
	bytes := 0
	for {
		limit := min(readAtOnce, size-len(page)+1)
		elements, err := l.read(snapshot, after, limit)
		if err != nil {
			return nil, "", err
		}
		for _, element := range elements {
			if len(page) == size || bytes > maxAnswerBytes {
				return page, after, nil
			}
			message := l.message(element)
			page = append(page, message)
			bytes += proto.Size(message)
			after = l.id(element)
		}
		if len(elements) < limit {
			return page, "", nil
		}
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
	}
}
