package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/verdictpdp/verdict/api/authz"
)

// An Option is a choice at New.
type Option func(*settings)

type settings struct {
	tenant       string
	timeout      time.Duration
	tls          *tls.Config
	plaintext    bool
	token        func(context.Context) (string, error)
	coalescing   *Coalescing
	attempts     int
	waitForReady bool
	dial         []grpc.DialOption
	errs         []error
}

// DefaultTimeout is how long a check without a deadline may take.
const DefaultTimeout = 5 * time.Second

// defaultAttempts is how often a check is asked at most.
const defaultAttempts = 3

// maxAttempts is as often as gRPC asks.
const maxAttempts = 5

func settingsOf(options []Option) (*settings, error) {
	s := &settings{tenant: authz.DefaultTenant, timeout: DefaultTimeout, attempts: defaultAttempts, coalescing: &Coalescing{}}
	for _, option := range options {
		option(s)
	}
	return s, authz.JoinInvalid(s.errs)
}

func (s *settings) wrong(field, format string, args ...any) {
	s.errs = append(s.errs, authz.InvalidField(field, format, args...))
}

// WithTenant sets the tenant of requests that name none; it is authz.DefaultTenant
// otherwise.
func WithTenant(name string) Option {
	return func(s *settings) {
		if err := authz.ValidateTenant(name); err != nil {
			s.errs = append(s.errs, authz.InField("tenant", err))
		}
		s.tenant = name
	}
}

// WithTimeout bounds calls whose context has no deadline; DefaultTimeout
// otherwise.
func WithTimeout(timeout time.Duration) Option {
	return func(s *settings) {
		if timeout <= 0 {
			s.wrong("timeout", "%v is no time to wait: give more than 0", timeout)
		}
		s.timeout = timeout
	}
}

// WithTLS talks TLS; nil trusts the authorities of the system. A certificate in
// the configuration is the client's own.
func WithTLS(config *tls.Config) Option {
	return func(s *settings) {
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS13}
		}
		s.tls = config.Clone()
	}
}

// WithCA talks TLS and trusts the authorities in a file of PEM certificates, and
// no others. The file is read at New.
func WithCA(file string) Option {
	return func(s *settings) {
		pem, err := os.ReadFile(file)
		if err != nil {
			s.wrong("ca", "%v", err)
			return
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			s.wrong("ca", "%s holds no PEM certificate", file)
			return
		}
		s.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}
	}
}

// WithPlaintextOverNetwork talks without TLS to a server on another machine too,
// where anybody between can read the requests and change the decisions. Loopback
// and Unix sockets do not need it.
func WithPlaintextOverNetwork() Option {
	return func(s *settings) { s.plaintext = true }
}

// WithToken sends a bearer token with every call: what the function returns, which
// is asked before each and should remember it. Its errors fail the call. A token
// goes over a network under TLS only.
//
// The token is the application's own: the context is that of a call, which has
// nothing of who asks where checks are gathered. Who asks is a request's subject.
func WithToken(token func(context.Context) (string, error)) Option {
	return func(s *settings) { s.token = token }
}

// WithTokenFile sends the bearer token that stands in a file, without the space
// around it. The file is read again when it is some seconds old in memory, so that
// it may be replaced.
func WithTokenFile(file string) Option {
	return WithToken((&tokenFile{path: file}).token)
}

// WithCoalescing bounds what is gathered into a batch.
func WithCoalescing(bounds Coalescing) Option {
	return func(s *settings) {
		if bounds.Items < 0 || bounds.Items > MaxBatch {
			s.wrong("coalescing.items", "%d: 0 for the default, or 1 to %d", bounds.Items, MaxBatch)
		}
		if bounds.Bytes < 0 || bounds.Bytes > maxBatchBytes {
			s.wrong("coalescing.bytes", "%d: 0 for the default, or 1 to %d", bounds.Bytes, maxBatchBytes)
		}
		if bounds.Wait < 0 || bounds.Wait > time.Second {
			s.wrong("coalescing.wait", "%v: 0 for the default, or up to 1 s", bounds.Wait)
		}
		s.coalescing = &bounds
	}
}

// maxBatchBytes keeps a batch well below what the server takes.
const maxBatchBytes = 8 << 20

// WithoutCoalescing has every check go alone.
func WithoutCoalescing() Option {
	return func(s *settings) { s.coalescing = nil }
}

// WithAttempts sets how often a check is asked at most while no server can be
// reached, or has too much to do, the first time included, from 1, never again, to 5; 3 otherwise.
func WithAttempts(attempts int) Option {
	return func(s *settings) {
		if attempts < 1 || attempts > maxAttempts {
			s.wrong("attempts", "%d: expected 1 to %d", attempts, maxAttempts)
		}
		s.attempts = attempts
	}
}

// WithWaitForReady has calls wait, within their deadline, for a server that can
// be reached and is ready. Otherwise they fail as soon as it is known that none
// is, after the attempts.
func WithWaitForReady() Option {
	return func(s *settings) { s.waitForReady = true }
}

// WithDialOptions adds options of gRPC, such as what traces calls. They come last
// and so may undo what New sets.
func WithDialOptions(options ...grpc.DialOption) Option {
	return func(s *settings) { s.dial = append(s.dial, options...) }
}

func (c Coalescing) withDefaults() Coalescing {
	return Coalescing{
		Items: cmp.Or(c.Items, defaultItems),
		Bytes: cmp.Or(c.Bytes, defaultBytes),
		Wait:  cmp.Or(c.Wait, defaultWait),
	}
}

// serviceConfig tells gRPC how to call: which server, and when again, for the calls
// that only read. When retries outnumber a tenth of the successes for long, they stop.
func (s *settings) serviceConfig() string {
	retries := ""
	if s.attempts > 1 {
		retries = fmt.Sprintf(`, "retryPolicy": {"maxAttempts": %d, "initialBackoff": "0.05s", "maxBackoff": "1s",
			"backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]}`, s.attempts)
	}
	return fmt.Sprintf(`{
		"loadBalancingConfig": [{"%s": {}}],
		"healthCheckConfig": {"serviceName": "verdict.v1.AccessService"},
		"methodConfig": [{"name": [
			{"service": "verdict.v1.AccessService", "method": "CheckAccess"},
			{"service": "verdict.v1.AccessService", "method": "BatchCheckAccess"},
			{"service": "verdict.v1.AccessService", "method": "SearchSubjects"},
			{"service": "verdict.v1.AccessService", "method": "SearchResources"},
			{"service": "verdict.v1.AccessService", "method": "SearchActions"},
			{"service": "verdict.v1.AccessService", "method": "PlanResources"}
		], "waitForReady": %t%s}],
		"retryThrottling": {"maxTokens": %d, "tokenRatio": 0.1}
	}`, balancing, s.waitForReady, retries, maxTokens)
}
