package authzen

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
)

// maxKeptBytes is how large a buffer may be that is kept for another request.
const maxKeptBytes = 64 << 10

// buffers are for the bodies of requests and of answers.
type buffers struct{ pool sync.Pool }

// get is an empty buffer.
func (b *buffers) get() *[]byte {
	if kept, is := b.pool.Get().(*[]byte); is {
		*kept = (*kept)[:0]
		return kept
	}
	return new(make([]byte, 0, 1<<10))
}

// put keeps a buffer that nobody uses any more.
func (b *buffers) put(buffer *[]byte) {
	if cap(*buffer) <= maxKeptBytes {
		b.pool.Put(buffer)
	}
}

// jsonType is the Content-Type of every answer.
var jsonType = []string{"application/json"}

// netHTTPBuffer is from how many bytes on net/http no longer finds out by itself how
// long an answer is.
const netHTTPBuffer = 2 << 10

func (s *server) write(w http.ResponseWriter, r *http.Request, answer any) {
	result, is := answer.(reply)
	if !is {
		result = reply{status: http.StatusOK, body: answer}
	}
	buffer := s.buffers.get()
	defer s.buffers.put(buffer)
	text, err := appendJSON((*buffer)[:0], result.body)
	if err != nil {
		public := s.public(r, fmt.Errorf("encoding the answer: %w", err))
		result = reply{status: public.HTTP()}
		if text, err = appendJSON((*buffer)[:0], failure{failureOf(public)}); err != nil {
			s.logger.Error("an error could not be encoded", zap.Error(err))
		}
	}
	*buffer = text
	header := w.Header()
	header["Content-Type"] = jsonType[:1:1]
	if result.cache != "" {
		header.Set("Cache-Control", result.cache)
	}
	if result.retryAfter > 0 {
		const almost = time.Second - 1
		header.Set("Retry-After", strconv.FormatInt(int64((result.retryAfter+almost)/time.Second), 10))
	}
	if result.challenge != "" {
		header.Set("WWW-Authenticate", result.challenge)
	}
	if len(text) >= netHTTPBuffer {
		header.Set("Content-Length", strconv.Itoa(len(text)))
	}
	w.WriteHeader(result.status)
	if _, err := w.Write(text); err != nil && r.Context().Err() == nil {
		s.logger.Debug("an answer could not be sent", zap.String("path", r.URL.Path), zap.Error(err))
	}
}

// appendJSON writes a body and a line break.
func appendJSON(text []byte, body any) ([]byte, error) {
	write := func(text []byte) ([]byte, error) { return appendAny(text, body) }
	if body, is := body.(appender); is {
		write = body.appendTo
	}
	text, err := write(text)
	return append(text, '\n'), err
}
