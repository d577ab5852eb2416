package authzen

import (
	"context"
	"net/http"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// requestIDHeader names a request (section 10.1.3).
const requestIDHeader = "X-Request-Id"

// maxRequestIDBytes is how long a request's id may be. It comes back as it was
// sent or not at all, so a longer one is refused, and not cut.
const maxRequestIDBytes = 1 << 10

// identified gives every answer of a handler the id of its request.
func (s *server) identified(handler http.Handler) http.Handler {
	refuse := s.answer(func(context.Context, *http.Request) (any, error) {
		return nil, authz.Errorf(authz.Invalid,
			"the X-Request-ID cannot be sent back: expected at most %d bytes without control characters", maxRequestIDBytes)
	}, anyone)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ids := r.Header[requestIDHeader]; len(ids) > 0 && ids[0] != "" {
			if len(ids[0]) > maxRequestIDBytes || strings.ContainsFunc(ids[0], isControl) {
				refuse.ServeHTTP(w, r)
				return
			}
			w.Header()[requestIDHeader] = ids[:1:1]
		}
		handler.ServeHTTP(w, r)
	})
}

// isControl reports the characters that no header may hold (RFC 9110, section
// 5.5).
func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }
