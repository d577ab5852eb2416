package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A bearer is the credentials of calls. It satisfies gRPC's
// credentials.PerRPCCredentials.
type bearer struct {
	source func(context.Context) (string, error)
	// overNetwork is whether the token must not go without TLS.
	overNetwork bool
	// had is whether there was a token when it was asked for last.
	had atomic.Bool
}

// missing is the error of a call for which there is no token. It is told before
// the call: without a token, gRPC learns nothing of the server's health, and would
// wait for it until the deadline.
func (b *bearer) missing(ctx context.Context) error {
	if b == nil || b.had.Load() {
		return nil
	}
	_, err := b.token(ctx)
	return err
}

// token is the token, or a status that says why there is none.
func (b *bearer) token(ctx context.Context) (string, error) {
	token, err := b.source(ctx)
	if err == nil {
		err = checkToken(token)
	}
	b.had.Store(err == nil)
	if err != nil {
		return "", status.Errorf(codes.Unauthenticated, "no bearer token: %v", err)
	}
	return token, nil
}

func (b *bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := b.token(ctx)
	if err != nil {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

func (b *bearer) RequireTransportSecurity() bool { return b.overNetwork }

// checkToken is an error for what is no token, and could not be sent.
func checkToken(token string) error {
	if token == "" || strings.ContainsFunc(token, isOutsideToken) {
		return errors.New("the token is empty or holds characters that no token has")
	}
	return nil
}

// isOutsideToken is whether a character is none of a header's visible ones.
func isOutsideToken(r rune) bool { return r <= ' ' || r > '~' }

// maxTokenAge is how long a token is kept that was read from a file.
const maxTokenAge = 10 * time.Second

// A tokenFile reads a token from a file, and again when it is old.
type tokenFile struct {
	path string

	mu   sync.Mutex
	text string
	read time.Time
}

func (f *tokenFile) token(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.text != "" && time.Since(f.read) < maxTokenAge {
		return f.text, nil
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("%s: %w: the file is to hold the token and nothing else", f.path, err)
	}
	f.text, f.read = token, time.Now()
	return f.text, nil
}
