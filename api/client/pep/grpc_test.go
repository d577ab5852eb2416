package pep

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// An application has a unary method and a stream. It borrows the service of
// Verdict itself, so that no other has to be generated: a call names a record as
// its resource's id, and is answered with the id of the decision that let it.
type application struct {
	verdictv1.UnimplementedAccessServiceServer
	ran []string
	// stream is the handler of the stream; nil echoes.
	stream func(verdictv1.AccessService_StreamCheckAccessServer) error
}

func (a *application) CheckAccess(ctx context.Context, m *verdictv1.CheckAccessRequest) (*verdictv1.CheckAccessResponse, error) {
	decision, _ := DecisionFrom(ctx)
	a.ran = append(a.ran, m.GetResource().GetId())
	return &verdictv1.CheckAccessResponse{DecisionId: decision.ID}, nil
}

func (a *application) StreamCheckAccess(stream verdictv1.AccessService_StreamCheckAccessServer) error {
	if a.stream != nil {
		return a.stream(stream)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		a.ran = append(a.ran, m.GetId())
		decision, _ := DecisionFrom(stream.Context())
		if err := stream.Send(&verdictv1.StreamCheckAccessResponse{Id: decision.ID}); err != nil {
			return err
		}
	}
}

const (
	unaryMethod  = verdictv1.AccessService_CheckAccess_FullMethodName
	streamMethod = verdictv1.AccessService_StreamCheckAccess_FullMethodName
)

func aboutTheMessage(_ context.Context, message any) (authz.Request, error) {
	return requestAbout(message.(*verdictv1.CheckAccessRequest).GetResource().GetId()), nil
}

func aboutTheStreamed(_ context.Context, message any) (authz.Request, error) {
	return requestAbout(message.(*verdictv1.StreamCheckAccessRequest).GetId()), nil
}

// aboutTheMetadata asks about the record that the metadata names.
func aboutTheMetadata(ctx context.Context) (authz.Request, error) {
	records := metadata.ValueFromIncomingContext(ctx, "record")
	if len(records) != 1 {
		return authz.Request{}, ErrNoRequest
	}
	return requestAbout(records[0]), nil
}

func startApplication(t *testing.T, a *application, options []grpc.ServerOption, dial ...grpc.DialOption) verdictv1.AccessServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer(append(options, grpc.WaitForHandlers(true))...)
	verdictv1.RegisterAccessServiceServer(server, a)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///memory", append(dial,
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return verdictv1.NewAccessServiceClient(conn)
}

func messageAbout(id string) *verdictv1.CheckAccessRequest {
	return &verdictv1.CheckAccessRequest{Resource: &verdictv1.Resource{Id: id}}
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// codeOf is the code that an outcome has on gRPC.
func codeOf(goes, undecided bool) codes.Code {
	switch {
	case goes:
		return codes.OK
	case undecided:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}

func TestUnary(t *testing.T) {
	e := New(byID, WithObligations("mask"))
	methods := Methods{unaryMethod: aboutTheMessage}
	tests := []struct {
		name   string
		server []grpc.ServerOption
		client []grpc.DialOption
	}{
		{"on the server", []grpc.ServerOption{grpc.UnaryInterceptor(e.UnaryServerInterceptor(methods))}, nil},
		{"on the client", nil, []grpc.DialOption{grpc.WithUnaryInterceptor(e.UnaryClientInterceptor(methods))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, outcome := range outcomes {
				t.Run(outcome.id, func(t *testing.T) {
					a := &application{}
					_, err := startApplication(t, a, tt.server, tt.client...).CheckAccess(soon(t), messageAbout(outcome.id))
					if code := codeOf(outcome.goes, outcome.undecided); status.Code(err) != code || status.Convert(err).Message() != outcome.public {
						t.Errorf("error = %v, want %v: %q", err, code, outcome.public)
					}
					if (len(a.ran) == 1) != outcome.goes {
						t.Errorf("the handler ran for %q", a.ran)
					}
				})
			}
		})
	}
}

// What a call brings for whom it is made, such as a token, is not for whoever decides.
func TestMetadataOfACallGoesToNoChecker(t *testing.T) {
	var seen metadata.MD
	e := New(checkFunc(func(ctx context.Context, request authz.Request) (authz.Decision, error) {
		seen, _ = metadata.FromOutgoingContext(ctx)
		return byID(ctx, request)
	}))
	asked := func(ctx context.Context) string {
		md, _ := metadata.FromOutgoingContext(ctx)
		return md.Get("record")[0]
	}
	a := &application{}
	var arrived metadata.MD
	client := startApplication(t, a, []grpc.ServerOption{
		grpc.UnaryInterceptor(func(ctx context.Context, message any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			arrived, _ = metadata.FromIncomingContext(ctx)
			return handle(ctx, message)
		}),
		grpc.StreamInterceptor(func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			arrived, _ = metadata.FromIncomingContext(stream.Context())
			return handle(server, stream)
		}),
	},
		grpc.WithUnaryInterceptor(e.UnaryClientInterceptor(Methods{unaryMethod: func(ctx context.Context, _ any) (authz.Request, error) {
			return requestAbout(asked(ctx)), nil
		}})),
		grpc.WithStreamInterceptor(e.StreamClientInterceptor(Streams{streamMethod: {
			Open:    func(ctx context.Context) (authz.Request, error) { return requestAbout(asked(ctx)), nil },
			Message: func(ctx context.Context, _ any) (authz.Request, error) { return requestAbout(asked(ctx)), nil },
		}})))
	ctx := metadata.AppendToOutgoingContext(metadata.NewOutgoingContext(soon(t), metadata.Pairs("record", "allowed")), "authorization", "Bearer s3cret")
	for name, call := range map[string]func() error{
		"unary":  func() error { _, err := client.CheckAccess(ctx, messageAbout("allowed")); return err },
		"stream": func() error { _, err := converse(t, client, ctx, "allowed"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			seen, arrived = metadata.Pairs("not", "asked"), nil
			if err := call(); err != nil {
				t.Fatal(err)
			}
			if len(seen) > 0 {
				t.Errorf("the checker's call would bring %v", seen)
			}
			if len(arrived.Get("authorization")) != 1 {
				t.Errorf("the call itself brought %v", arrived)
			}
		})
	}
}

func TestUnaryHandlerFindsTheDecision(t *testing.T) {
	e := New(byID)
	client := startApplication(t, &application{}, []grpc.ServerOption{grpc.UnaryInterceptor(e.UnaryServerInterceptor(Methods{unaryMethod: aboutTheMessage}))})
	response, err := client.CheckAccess(soon(t), messageAbout("allowed"))
	if err != nil || response.GetDecisionId() != "d1" {
		t.Errorf("response = %v, %v", response, err)
	}
}

func TestMethodsThatNothingIsSaidAbout(t *testing.T) {
	failing := func(context.Context, any) (authz.Request, error) {
		return authz.Request{}, errors.New("no user in the metadata")
	}
	tests := []struct {
		name    string
		methods Methods
		options []Option
		want    codes.Code
	}{
		{"no function", nil, nil, codes.PermissionDenied},
		{"a function that is nil", Methods{unaryMethod: nil}, nil, codes.PermissionDenied},
		{"of another method", Methods{streamMethod: aboutTheMessage}, nil, codes.PermissionDenied},
		{"a function that fails", Methods{unaryMethod: failing}, nil, codes.PermissionDenied},
		{"unchecked", nil, []Option{WithUnchecked(unaryMethod)}, codes.OK},
		{"another unchecked", nil, []Option{WithUnchecked(streamMethod)}, codes.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := New(always(authz.Decision{Allowed: true}, nil), tt.options...)
			a := &application{}
			client := startApplication(t, a, []grpc.ServerOption{grpc.UnaryInterceptor(e.UnaryServerInterceptor(tt.methods))})
			_, err := client.CheckAccess(soon(t), messageAbout("1"))
			if status.Code(err) != tt.want || (len(a.ran) == 1) != (tt.want == codes.OK) {
				t.Errorf("error = %v, want %v; the handler ran for %q", err, tt.want, a.ran)
			}
		})
	}
}

func TestStatusOfARefusal(t *testing.T) {
	tests := []struct {
		name string
		of   func(context.Context, *Refusal) *status.Status
		want codes.Code
	}{
		{"its own", func(context.Context, *Refusal) *status.Status { return status.New(codes.NotFound, "what record?") }, codes.NotFound},
		{"OK", func(context.Context, *Refusal) *status.Status { return status.New(codes.OK, "") }, codes.PermissionDenied},
		{"none", func(context.Context, *Refusal) *status.Status { return nil }, codes.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := New(byID, WithStatus(tt.of))
			a := &application{}
			client := startApplication(t, a, []grpc.ServerOption{
				grpc.UnaryInterceptor(e.UnaryServerInterceptor(Methods{unaryMethod: aboutTheMessage})),
				grpc.StreamInterceptor(e.StreamServerInterceptor(Streams{streamMethod: {Message: aboutTheStreamed}})),
			})
			_, err := client.CheckAccess(soon(t), messageAbout("denied"))
			if status.Code(err) != tt.want || len(a.ran) != 0 {
				t.Errorf("error = %v, want %v; the handler ran for %q", err, tt.want, a.ran)
			}
			if _, err := converse(t, client, soon(t), "denied"); status.Code(err) != tt.want || len(a.ran) != 0 {
				t.Errorf("of a stream: error = %v, want %v; the handler ran for %q", err, tt.want, a.ran)
			}
		})
	}
}

// converse sends ids one after the other, each after the answer to the one before,
// and returns the answers and what ended the stream.
func converse(t *testing.T, client verdictv1.AccessServiceClient, ctx context.Context, ids ...string) (answers []string, err error) {
	t.Helper()
	stream, err := client.StreamCheckAccess(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		_ = stream.Send(&verdictv1.StreamCheckAccessRequest{Id: id}) // Recv says why not
		answer, err := stream.Recv()
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer.GetId())
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err = stream.Recv(); errors.Is(err, io.EOF) {
		return answers, nil
	}
	return answers, err
}

func TestStream(t *testing.T) {
	open := Stream{Open: aboutTheMetadata}
	each := Stream{Message: aboutTheStreamed}
	both := Stream{Open: aboutTheMetadata, Message: aboutTheStreamed}
	tests := []struct {
		name   string
		rule   Stream
		record string // in the metadata
		sends  []string
		want   []string // the ids of the decisions
		code   codes.Code
	}{
		{"opened, allowed", open, "allowed", []string{"1", "2"}, []string{"d1", "d1"}, codes.OK},
		{"opened, denied", open, "denied", []string{"1"}, nil, codes.PermissionDenied},
		{"opened, undecided", open, "away", []string{"1"}, nil, codes.Unavailable},
		{"opened without a request", open, "", []string{"1"}, nil, codes.PermissionDenied},
		{"opened under what is not declared", open, "odd", []string{"1"}, nil, codes.PermissionDenied},
		{"each allowed", each, "", []string{"allowed", "masked"}, []string{"d1", "d2"}, codes.OK},
		{"one denied", each, "", []string{"allowed", "denied", "allowed"}, []string{"d1"}, codes.PermissionDenied},
		{"one undecided", each, "", []string{"allowed", "away"}, []string{"d1"}, codes.Unavailable},
		{"the first denied", each, "", []string{"denied"}, nil, codes.PermissionDenied},
		{"none sent", each, "", nil, nil, codes.OK},
		{"both allowed", both, "masked", []string{"allowed"}, []string{"d1"}, codes.OK},
		{"opened, one denied", both, "allowed", []string{"allowed", "denied"}, []string{"d1"}, codes.PermissionDenied},
		{"not opened", both, "denied", []string{"allowed"}, nil, codes.PermissionDenied},
		{"nothing said", Stream{}, "allowed", []string{"allowed"}, nil, codes.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := New(byID, WithObligations("mask"))
			a := &application{}
			client := startApplication(t, a, []grpc.ServerOption{grpc.StreamInterceptor(e.StreamServerInterceptor(Streams{streamMethod: tt.rule}))})
			ctx := soon(t)
			if tt.record != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "record", tt.record)
			}
			answers, err := converse(t, client, ctx, tt.sends...)
			if status.Code(err) != tt.code || len(answers) != len(tt.want) || len(a.ran) != len(tt.want) {
				t.Fatalf("answers = %q, %v, want %q, %v; the handler ran for %q", answers, err, tt.want, tt.code, a.ran)
			}
			for i := range answers {
				if answers[i] != tt.want[i] {
					t.Errorf("answer %d is by decision %s, want %s", i, answers[i], tt.want[i])
				}
			}
		})
	}
	t.Run("unchecked", func(t *testing.T) {
		e := New(byID, WithUnchecked(streamMethod))
		client := startApplication(t, &application{}, []grpc.ServerOption{grpc.StreamInterceptor(e.StreamServerInterceptor(nil))})
		if answers, err := converse(t, client, soon(t), "1"); err != nil || len(answers) != 1 {
			t.Errorf("answers = %q, %v", answers, err)
		}
	})
}

func TestStreamOnTheClient(t *testing.T) {
	aboutWhatGoesOut := func(ctx context.Context) (authz.Request, error) {
		md, _ := metadata.FromOutgoingContext(ctx)
		return requestAbout(md.Get("record")[0]), nil
	}
	open, each := Stream{Open: aboutWhatGoesOut}, Stream{Message: aboutTheStreamed}
	tests := []struct {
		name    string
		streams Streams
		options []Option
		record  string
		sends   []string
		ran     int // for how many messages the handler ran
		code    codes.Code
	}{
		{"opened, allowed", Streams{streamMethod: open}, nil, "allowed", []string{"1", "2"}, 2, codes.OK},
		{"opened, denied", Streams{streamMethod: open}, nil, "denied", []string{"1"}, 0, codes.PermissionDenied},
		{"opened, undecided", Streams{streamMethod: open}, nil, "away", []string{"1"}, 0, codes.Unavailable},
		{"each allowed", Streams{streamMethod: each}, nil, "", []string{"allowed", "allowed"}, 2, codes.OK},
		{"one denied", Streams{streamMethod: each}, nil, "", []string{"allowed", "denied", "allowed"}, 1, codes.PermissionDenied},
		{"nothing said", nil, nil, "allowed", []string{"1"}, 0, codes.PermissionDenied},
		{"unchecked", nil, []Option{WithUnchecked(streamMethod)}, "", []string{"1"}, 1, codes.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := New(byID, tt.options...)
			a := &application{}
			client := startApplication(t, a, nil, grpc.WithStreamInterceptor(e.StreamClientInterceptor(tt.streams)))
			ctx := metadata.AppendToOutgoingContext(soon(t), "record", tt.record)
			stream, err := client.StreamCheckAccess(ctx)
			ran := 0
			for _, id := range tt.sends {
				if err != nil {
					break
				}
				if err = stream.Send(&verdictv1.StreamCheckAccessRequest{Id: id}); err != nil {
					if _, again := stream.Recv(); status.Code(again) != tt.code {
						t.Errorf("what is received then: %v", again)
					}
					break
				}
				if _, err = stream.Recv(); err == nil {
					ran++
				}
			}
			if status.Code(err) != tt.code || ran != tt.ran {
				t.Errorf("error = %v, want %v; %d messages were answered, want %d", err, tt.code, ran, tt.ran)
			}
		})
	}
}

// A handler that does not look at errors gets and gives nothing away.
func TestCarelessHandlers(t *testing.T) {
	answer := &verdictv1.StreamCheckAccessResponse{Id: "secret"}
	var seen []string
	tests := []struct {
		name    string
		handler func(verdictv1.AccessService_StreamCheckAccessServer) error
	}{
		{"answers before it was asked", func(stream verdictv1.AccessService_StreamCheckAccessServer) error {
			_ = stream.Send(answer)
			_, _ = stream.Recv()
			_ = stream.Send(answer)
			return nil
		}},
		{"sends a header before it was asked", func(stream verdictv1.AccessService_StreamCheckAccessServer) error {
			_ = stream.SendHeader(metadata.Pairs("secret", "1"))
			return nil
		}},
		{"goes on after a deny", func(stream verdictv1.AccessService_StreamCheckAccessServer) error {
			for range 3 {
				var m verdictv1.StreamCheckAccessRequest
				_ = stream.RecvMsg(&m)
				seen = append(seen, m.GetId())
				_ = stream.Send(answer)
			}
			return nil
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen = nil
			e := New(byID)
			client := startApplication(t, &application{stream: tt.handler}, []grpc.ServerOption{
				grpc.StreamInterceptor(e.StreamServerInterceptor(Streams{streamMethod: {Message: aboutTheStreamed}})),
			})
			stream, err := client.StreamCheckAccess(soon(t))
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range []string{"denied", "allowed", "allowed"} {
				_ = stream.Send(&verdictv1.StreamCheckAccessRequest{Id: id})
			}
			got, err := stream.Recv()
			if status.Code(err) != codes.PermissionDenied {
				t.Errorf("answer = %v, %v", got, err)
			}
			if header, _ := stream.Header(); len(header.Get("secret")) > 0 {
				t.Errorf("header = %v", header)
			}
			for _, id := range seen {
				if id != "" {
					t.Errorf("the handler saw %q", seen)
				}
			}
		})
	}
}
