package authzen

import (
	"errors"
	"io"
	"mime"
	"net/http"
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
)

// bodyLimits are how many bytes the body of a single request and of a batch may
// have, where the input of a decision is limited.
func bodyLimits(input int) (one, batch int64) {
	one = int64(input) + envelopeBytes
	return one, max(one, min(batchFactor*min(one, maxBatchBytes), maxBatchBytes))
}

// withBody is the endpoint that answers a request with a body. Bodies that would
// take more than a bounded number of bytes together are answered one after
// another; one that is still being sent holds up no other.
func (s *server) withBody(answer func(r *http.Request, body []byte) (any, error)) endpoint {
	return func(r *http.Request) (any, error) {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		size := int64(len(body))
		if err := s.answering.Acquire(r.Context(), size); err != nil {
			return nil, err
		}
		defer s.answering.Release(size)
		return answer(r, body)
	}
}

// readBody reads the body of a request, which must be JSON (section 10.1).
func readBody(r *http.Request) ([]byte, error) {
	contentType := r.Header.Get("Content-Type")
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" {
		return nil, authz.Errorf(authz.Invalid, "the Content-Type is %s: expected application/json", authz.Quote(contentType))
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, authz.Errorf(authz.Invalid, "the charset is %s: JSON is UTF-8", authz.Quote(charset))
	}
	// RFC 9110, section 8.4.
	if coding := strings.Join(r.Header.Values("Content-Encoding"), ", "); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, refusal{http.StatusUnsupportedMediaType, authz.Errorf(authz.Invalid,
			"the Content-Encoding is %s: send the body as it is", authz.Quote(coding))}
	}
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, authz.Errorf(authz.LimitExceeded, "the body is larger than the limit of %d bytes", tooLarge.Limit)
	case err != nil && r.Context().Err() != nil:
		return nil, r.Context().Err()
	case err != nil:
		return nil, authz.Errorf(authz.Invalid, "the body could not be read to its end: %w", err)
	}
	return body, nil
}
