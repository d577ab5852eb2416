package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// A remote is the server that a command talks to, and the tenant it means.
type remote struct {
	server string
	tenant string
	// ca is the file of the authorities by which a server is known over TLS;
	// empty is without TLS.
	ca      string
	timeout timeout
}

// addFlags offers --server, --ca and --tenant.
func (r *remote) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.server, "server", defaultGRPC, "gRPC `address` of the server, host:port or unix:///path")
	cmd.Flags().StringVar(&r.ca, "ca", "", "talk TLS to a server whose certificate one of those in this `file` (PEM) has signed")
	cmd.Flags().StringVar(&r.tenant, "tenant", authz.DefaultTenant, "the `tenant` that is meant")
}

// addTimeoutFlag offers --timeout to a command that is over soon.
func (r *remote) addTimeoutFlag(cmd *cobra.Command) {
	r.timeout = timeout(30 * time.Second)
	cmd.Flags().Var(&r.timeout, "timeout", "how long to wait for the server")
}

// bounded is the context of a command with --timeout.
func (r *remote) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(r.timeout))
}

// inTime is the error of a call under a bounded context. The server is told of
// the bound, and may report it a moment before this side does.
func (r *remote) inTime(ctx context.Context, err error) error {
	const moment = 100 * time.Millisecond
	end, _ := ctx.Deadline()
	late := errors.Is(ctx.Err(), context.DeadlineExceeded) ||
		status.Code(err) == codes.DeadlineExceeded && time.Until(end) < moment
	if err != nil && late {
		return fmt.Errorf("no answer from %s within --timeout %s", r.server, &r.timeout)
	}
	return err
}

// maxMessageBytes is the largest message taken from a server: a page of a
// listing stays far below it.
const maxMessageBytes = 64 << 20

// silence is how long nothing is heard from a server before it is pinged, and
// how long it may take to answer before it is taken to be gone.
const silence = 30 * time.Second

func (r *remote) dial() (*grpc.ClientConn, error) {
	if err := checkAddress(r.server); err != nil {
		return nil, fmt.Errorf("--server %w", err)
	}
	target := r.server
	if path, isUnix := socketPath(target); isUnix {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		target = unixPrefix + absolute // a relative one gRPC takes for a host
	}
	security, err := r.security()
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(security),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: silence, Timeout: silence}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)))
	if err != nil {
		return nil, fmt.Errorf("--server %s: %w", r.server, err)
	}
	return conn, nil
}

// security is how a connection is protected. Over a Unix socket the server is
// known as localhost.
func (r *remote) security() (credentials.TransportCredentials, error) {
	if r.ca == "" {
		return insecure.NewCredentials(), nil
	}
	pool, err := authorities(r.ca)
	if err != nil {
		return nil, err
	}
	return credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}), nil
}

const unixPrefix = "unix://"

// socketPath is the path of a Unix socket's address, unix:///path.
func socketPath(address string) (path string, isUnix bool) {
	return strings.CutPrefix(address, unixPrefix)
}

// checkAddress refuses what is no address to listen on or to dial.
func checkAddress(address string) error {
	port, isUnix := socketPath(address)
	if !isUnix {
		_, port, _ = net.SplitHostPort(address)
	}
	if port != "" {
		return nil
	}
	return fmt.Errorf("%q is no address: expected host:port or unix:///path", address)
}

// dialable is a listener's address as --server takes it.
func dialable(addr net.Addr) string {
	if addr.Network() == "unix" {
		return unixPrefix + addr.String()
	}
	return addr.String()
}

// consistencyFlags choose the directory revision that is read.
type consistencyFlags struct {
	atLeast, exact uint64
	exactGiven     func() bool
}

func (c *consistencyFlags) addFlags(cmd *cobra.Command) {
	c.exactGiven = func() bool { return cmd.Flags().Changed("exact") }
	cmd.Flags().Uint64Var(&c.atLeast, "at-least", 0, "wait until the directory has reached this `revision`")
	cmd.Flags().Uint64Var(&c.exact, "exact", 0, "read the directory at exactly this `revision`")
	cmd.MarkFlagsMutuallyExclusive("at-least", "exact")
}

func (c *consistencyFlags) proto() *verdictv1.Consistency {
	switch {
	case c.exactGiven():
		return exactly(c.exact)
	case c.atLeast != 0:
		return &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: c.atLeast}}
	}
	return nil
}

// exactly asks for one revision and no other.
func exactly(revision uint64) *verdictv1.Consistency {
	return &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: revision}}
}

func requestProto(r *authz.Request) (*verdictv1.CheckAccessRequest, error) {
	subject, err := properties("subject", r.Subject.Properties)
	if err != nil {
		return nil, err
	}
	action, err := properties("action", r.Action.Properties)
	if err != nil {
		return nil, err
	}
	resource, err := properties("resource", r.Resource.Properties)
	if err != nil {
		return nil, err
	}
	requestContext, err := properties("context", r.Context)
	if err != nil {
		return nil, err
	}
	return &verdictv1.CheckAccessRequest{
		Tenant:   r.Tenant,
		Subject:  &verdictv1.Subject{Type: r.Subject.Type, Id: r.Subject.ID, Properties: subject},
		Action:   &verdictv1.Action{Name: r.Action.Name, Properties: action},
		Resource: &verdictv1.Resource{Type: r.Resource.Type, Id: r.Resource.ID, Properties: resource},
		Context:  requestContext,
	}, nil
}

func properties(field string, object authz.Object) (*structpb.Struct, error) {
	if len(object) == 0 {
		return nil, nil
	}
	s, err := structpb.NewStruct(object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	return s, nil
}

func decisionOf(r *verdictv1.CheckAccessResponse) authz.Decision {
	d := authz.Decision{
		Allowed:           r.GetAllowed(),
		Reasons:           r.GetReasons(),
		Obligations:       r.GetObligations().AsMap(),
		ID:                r.GetDecisionId(),
		PolicyRevision:    r.GetPolicyRevision(),
		DirectoryRevision: r.GetDirectoryRevision(),
	}
	if e := r.GetError(); e != nil {
		d.Err = &authz.Error{Kind: kindOf(e.GetKind()), Message: e.GetMessage()}
	}
	d.Explanation = explanationFrom(r.GetExplanation())
	return d
}

func explanationFrom(message *verdictv1.Explanation) *authz.Explanation {
	if message == nil {
		return nil
	}
	e := &authz.Explanation{
		RulesLeftOut: int(message.GetRulesLeftOut()), FactsLeftOut: int(message.GetFactsLeftOut()), CutShort: message.GetCutShort(),
	}
	for _, rule := range message.GetRules() {
		outcome := authz.RuleOutcome{
			Rule: rule.GetRule(), Title: rule.GetTitle(), Location: rule.GetLocation(),
			Held: rule.GetHeld(), Erred: rule.GetErred(), FailedAt: rule.GetFailedAt(), FailedExpr: rule.GetFailedExpression(),
			Passed: int(rule.GetPassed()), Expressions: int(rule.GetExpressions()), RestsOn: rule.GetRestsOn(), Rank: int(rule.GetRank()),
			ValuesLeftOut: int(rule.GetValuesLeftOut()), MoreAttempts: int(rule.GetMoreAttempts()), RestsOnLeftOut: int(rule.GetRestsOnLeftOut()),
		}
		for _, v := range rule.GetValues() {
			outcome.Values = append(outcome.Values, authz.ExprValue{Text: v.GetText(), Value: v.GetValue()})
		}
		e.Rules = append(e.Rules, outcome)
	}
	for _, fact := range message.GetFacts() {
		e.Facts = append(e.Facts, authz.Fact{Ref: fact.GetRef(), Known: fact.GetKnown()})
	}
	return e
}

// kindOf finds the kind by its name: ERROR_KIND_LIMIT_EXCEEDED is
// limit_exceeded. What has no such kind is internal.
func kindOf(kind verdictv1.ErrorKind) authz.Kind {
	name := strings.ToLower(strings.TrimPrefix(kind.String(), "ERROR_KIND_"))
	for k := authz.Internal; k.String() != authz.Internal.String() || k == authz.Internal; k++ {
		if k.String() == name {
			return k
		}
	}
	return authz.Internal
}
