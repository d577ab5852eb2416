package grpcapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/pdp"
)

// A testStream is a stream of decisions that fails its test.
type testStream struct {
	t *testing.T
	grpc.BidiStreamingClient[verdictv1.StreamCheckAccessRequest, verdictv1.StreamCheckAccessResponse]
}

func newStream(t *testing.T, conn *grpc.ClientConn) testStream {
	t.Helper()
	stream, err := verdictv1.NewAccessServiceClient(conn).StreamCheckAccess(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return testStream{t, stream}
}

func (s testStream) send(id string, request *verdictv1.CheckAccessRequest) {
	s.t.Helper()
	if err := s.Send(&verdictv1.StreamCheckAccessRequest{Id: id, Request: request}); err != nil {
		s.t.Fatal(err)
	}
}

func (s testStream) receive() *verdictv1.StreamCheckAccessResponse {
	s.t.Helper()
	answer, err := s.Recv()
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func (s testStream) ask(id string, request *verdictv1.CheckAccessRequest) *verdictv1.StreamCheckAccessResponse {
	s.t.Helper()
	s.send(id, request)
	answer := s.receive()
	if answer.GetId() != id {
		s.t.Fatalf("the answer to %q is %q's", id, answer.GetId())
	}
	return answer
}

func reading() *verdictv1.CheckAccessRequest {
	return &verdictv1.CheckAccessRequest{Action: &verdictv1.Action{Name: "read"}}
}

func TestStreamAnswersEveryRequest(t *testing.T) {
	const requests = 1_000
	_, conn := start(t, Options{})
	stream := newStream(t, conn)
	go func() {
		for i := range requests {
			action := []string{"read", "write"}[i%2]
			err := stream.Send(&verdictv1.StreamCheckAccessRequest{
				Id: fmt.Sprint(i), Request: &verdictv1.CheckAccessRequest{Action: &verdictv1.Action{Name: action}},
			})
			if err != nil {
				t.Error(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Error(err)
		}
	}()
	answers := map[string]bool{}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		answers[answer.GetId()] = answer.GetResponse().GetAllowed()
	}
	if len(answers) != requests {
		t.Errorf("%d different answers, want %d", len(answers), requests)
	}
	for i := range requests {
		if got, want := answers[fmt.Sprint(i)], i%2 == 0; got != want {
			t.Errorf("request %d: allowed = %v, want %v", i, got, want)
		}
	}
}

func TestErrorsDoNotEndAStream(t *testing.T) {
	_, conn := start(t, Options{Decider: decideFunc(func(_ context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		if request.Tenant != authz.DefaultTenant {
			return authz.Decision{}, authz.Errorf(authz.NotFound, "unknown tenant")
		}
		return authz.Decision{Allowed: true}, nil
	})})
	stream := newStream(t, conn)
	tests := []struct {
		name    string
		request *verdictv1.CheckAccessRequest
		want    verdictv1.ErrorKind
	}{
		{"an unknown tenant", &verdictv1.CheckAccessRequest{Tenant: "red"}, verdictv1.ErrorKind_ERROR_KIND_NOT_FOUND},
		{"a value without a kind", &verdictv1.CheckAccessRequest{Context: &structpb.Struct{Fields: map[string]*structpb.Value{"a": {}}}}, verdictv1.ErrorKind_ERROR_KIND_INVALID},
		{"no request, which is an empty one", nil, verdictv1.ErrorKind_ERROR_KIND_UNSPECIFIED},
		{"a good request", reading(), verdictv1.ErrorKind_ERROR_KIND_UNSPECIFIED},
	}
	for _, tt := range tests {
		response := stream.ask(tt.name, tt.request).GetResponse()
		if got := response.GetError().GetKind(); got != tt.want {
			t.Errorf("%s: kind %v, want %v", tt.name, got, tt.want)
		}
		if response.GetAllowed() && response.GetError() != nil {
			t.Errorf("%s: allowed with an error", tt.name)
		}
	}
}

func TestStreamHoldsBackACallerAtTheLimit(t *testing.T) {
	started := make(chan string, maxUnderWay+1)
	release := make(chan struct{})
	_, conn := start(t, Options{Decider: decideFunc(func(ctx context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		started <- request.Subject.ID
		select {
		case <-release:
		case <-ctx.Done():
		}
		return authz.Decision{Allowed: true}, nil
	})})
	stream := newStream(t, conn)
	for range maxUnderWay + 1 {
		stream.send("", reading())
	}
	for range maxUnderWay {
		<-started
	}
	select {
	case <-started:
		t.Fatalf("more than %d requests are under way", maxUnderWay)
	default:
	}
	close(release)
	for range maxUnderWay + 1 {
		stream.receive()
	}
}

// TestAnsweredQuestionsHoldNothing asks more, one after another, than may be under way at a
// time, in calls and in bytes.
func TestAnsweredQuestionsHoldNothing(t *testing.T) {
	_, conn := start(t, Options{Admission: newCountingDoor(), Intake: intake.Limits{Bytes: 1 << 20}})
	stream := newStream(t, conn)
	waiting := largeQuestion(2 * smallBytes)
	waiting.Consistency = &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: 1}}
	for i := range roomOf(t, newCountingDoor()) + 10 {
		if response := stream.ask("1", waiting).GetResponse(); !response.GetAllowed() {
			t.Fatalf("question %d is answered %v", i, response)
		}
	}
}

func largeQuestion(bytes int) *verdictv1.CheckAccessRequest {
	question := reading()
	question.Context = &structpb.Struct{Fields: map[string]*structpb.Value{"text": structpb.NewStringValue(strings.Repeat("x", bytes))}}
	return question
}

// TestQuestionsUnderWayAreHeld has questions wait that hold too much all together: they are
// large, or wait for a revision, each by a goroutine of its own.
func TestQuestionsUnderWayAreHeld(t *testing.T) {
	small := reading()
	small.Consistency = &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: 1}}
	for name, question := range map[string]*verdictv1.CheckAccessRequest{"large": largeQuestion(waitingBytes), "waiting": small} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s")) // whose reading can be interrupted
			if err != nil {
				t.Fatal(err)
			}
			_, conn := startOn(t, Options{Intake: intake.Limits{Bytes: maxUnderWay / 2 * waitingBytes, Transfer: time.Hour}, Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
				<-ctx.Done()
				return authz.Decision{}, ctx.Err()
			})}, listener, "unix:"+listener.Addr().String())
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stream, err := verdictv1.NewAccessServiceClient(conn).StreamCheckAccess(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for err == nil && ctx.Err() == nil {
				err = stream.Send(&verdictv1.StreamCheckAccessRequest{Request: question})
			}
			_, err = stream.Recv()
			wantStatus(t, err, codes.ResourceExhausted)
		})
	}
}

func TestSlowRequestDoesNotHoldUpTheNext(t *testing.T) {
	release := make(chan struct{})
	_, conn := start(t, Options{Decider: decideFunc(func(_ context.Context, request *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		if request.Action.Name == "slow" {
			<-release
		}
		return authz.Decision{}, nil
	})})
	stream := newStream(t, conn)
	stream.send("slow", &verdictv1.CheckAccessRequest{Action: &verdictv1.Action{Name: "slow"}})
	stream.ask("quick", reading())
	close(release)
	if answer := stream.receive(); answer.GetId() != "slow" {
		t.Errorf("the last answer is %q's, want slow", answer.GetId())
	}
}

func TestCallerThatLeavesEndsItsRequests(t *testing.T) {
	started, ended := make(chan struct{}), make(chan error, 1)
	_, conn := start(t, Options{Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		close(started)
		<-ctx.Done()
		ended <- ctx.Err()
		return authz.Decision{}, ctx.Err()
	})})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := verdictv1.NewAccessServiceClient(conn).StreamCheckAccess(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&verdictv1.StreamCheckAccessRequest{Request: reading()}); err != nil {
		t.Fatal(err)
	}
	<-started
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request ended with %v, want canceled", err)
	}
}

func TestShutdownEndsStreamsAfterTheirAnswers(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	server, conn := start(t, Options{Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
		close(started)
		<-release
		return authz.Decision{Allowed: true}, nil
	})})
	stream := newStream(t, conn)
	stream.send("1", reading())
	<-started
	done := make(chan error, 1)
	go func() { done <- server.Shutdown(context.Background()) }()
	<-server.closing.Done()
	close(release)
	if answer := stream.receive(); !answer.GetResponse().GetAllowed() {
		t.Errorf("answer = %v, want the decision under way", answer)
	}
	_, err := stream.Recv()
	wantStatus(t, err, codes.Unavailable)
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := server.UnderWay(); n != 0 {
		t.Errorf("%d calls are under way", n)
	}
}

func TestShutdownCutsOffWhatLastsTooLong(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	server, conn := start(t, Options{Decider: decideFunc(func(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
		close(started)
		select {
		case <-ctx.Done():
		case <-release:
		}
		return authz.Decision{}, ctx.Err()
	})})
	failed := make(chan error, 1)
	go func() {
		_, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(context.Background(), reading())
		failed <- err
	}()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown = %v, want the context's error", err)
	}
	if err := <-failed; err == nil {
		t.Error("the call that was cut off succeeded")
	}
}
