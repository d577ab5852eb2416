package authzen

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

const (
	// envelopeBytes is what a body may have besides the input that the decider
	// counts: the names of the members, spaces, and members that are dropped.
	envelopeBytes = 64 << 10
	// A batch may be as large as so many single requests of the largest size,
	// but no larger than a message over gRPC, unless a single request is.
	batchFactor   = 16
	maxBatchBytes = 16 << 20
	// maxBatches is how many batches of the largest size are answered at a
	// time. Their values take many times the bytes of their bodies.
	maxBatches = 4
	// smallBytes is how large a body may be that waits for no other. It takes no more
	// than its connection does, and most are smaller.
	smallBytes = 4 << 10
	// maxReceived is how many batches of the largest size are received at a time.
	// Their callers may take as long as a request may last.
	maxReceived = 16
)

// bodyLimits are how many bytes the body of a single request and of a batch may
// have, where the input of a decision is limited.
func bodyLimits(input int) (one, batch int64) {
	one = int64(input) + envelopeBytes
	return one, max(one, min(batchFactor*min(one, maxBatchBytes), maxBatchBytes))
}

// withBody is the endpoint that answers a request with a body, which is good for as
// long as it is answered. Bodies that are not small, and would take more than a bounded
// number of bytes together, are answered one after another. One that is still being
// sent holds up no other, but for those that are too large to be received beside it.
func (s *server) withBody(limit int64, answer func(ctx context.Context, r *http.Request, body []byte) (any, error)) endpoint {
	return func(ctx context.Context, r *http.Request) (any, error) {
		if err := checkBodyHeader(r.Header); err != nil {
			return nil, err
		}
		buffer := s.buffers.get()
		defer s.buffers.put(buffer)
		reserved, err := s.readBody(ctx, r, limit, buffer)
		if reserved > 0 {
			defer s.receiving.Release(reserved)
		}
		if err != nil {
			return nil, err
		}
		if size := int64(len(*buffer)); size > smallBytes {
			if err := s.answering.Acquire(ctx, size); err != nil {
				return nil, err
			}
			defer s.answering.Release(size)
		}
		return answer(ctx, r, *buffer)
	}
}

// checkBodyHeader refuses a body that is not JSON (section 10.1).
func checkBodyHeader(header http.Header) error {
	contentType := header["Content-Type"]
	if len(contentType) != 1 || contentType[0] != "application/json" {
		if err := checkContentType(strings.Join(contentType, ", ")); err != nil {
			return err
		}
	}
	// RFC 9110, section 8.4.
	if codings := header["Content-Encoding"]; len(codings) > 0 {
		if coding := strings.Join(codings, ", "); coding != "" && !strings.EqualFold(coding, "identity") {
			return refusal{http.StatusUnsupportedMediaType, authz.Errorf(authz.Invalid,
				"the Content-Encoding is %s: send the body as it is", authz.Quote(coding))}
		}
	}
	return nil
}

func checkContentType(contentType string) error {
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" {
		return authz.Errorf(authz.Invalid, "the Content-Type is %s: expected application/json", authz.Quote(contentType))
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return authz.Errorf(authz.Invalid, "the charset is %s: JSON is UTF-8", authz.Quote(charset))
	}
	return nil
}

// readBody reads the body of a request to its end. What is announced to be larger
// than the limit is not read. Before a body takes more than the buffers that are kept,
// all that it may have is reserved, to be released when it is answered.
func (s *server) readBody(ctx context.Context, r *http.Request, limit int64, to *[]byte) (reserved int64, err error) {
	body := *to
	defer func() { *to = body }()
	for r.ContentLength <= limit {
		if len(body) == cap(body) {
			if reserved == 0 && 2*cap(body) >= maxKeptBytes {
				most := limit
				if r.ContentLength >= 0 {
					most = r.ContentLength
				}
				if err := s.receiving.Acquire(ctx, most); err != nil {
					return 0, err
				}
				reserved = most
			}
			// Twice as much: what is announced need not come.
			body = slices.Grow(body, int(min(int64(cap(body)), limit+1-int64(len(body)))))
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			return reserved, tooLarge(limit)
		case errors.Is(err, io.EOF):
			return reserved, nil
		case err != nil && ctx.Err() != nil:
			return reserved, ctx.Err()
		case err != nil:
			return reserved, authz.Errorf(authz.Invalid, "the body could not be read to its end: %w", err)
		}
	}
	return reserved, tooLarge(limit)
}

func tooLarge(limit int64) error {
	return authz.Exceeded(authz.MessageLimit, "the body is larger than the limit of %d bytes", limit)
}
