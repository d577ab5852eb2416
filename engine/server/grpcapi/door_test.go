package grpcapi

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/intake"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/wire"
)

// withToken is who has a token, and the callers of a server that knows it.
func withToken(t *testing.T) (ctx context.Context, callers *caller.Authenticator) {
	t.Helper()
	token := caller.NewToken()
	subject := authz.EntityRef{Type: "service", ID: "crm"}
	ctx = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	return ctx, caller.New(caller.Options{Tokens: []caller.TokenHash{{Subject: subject, Hash: caller.HashOf(token)}}})
}

func refuseAll(_ context.Context, operation caller.Operation, tenant string) error {
	return authz.Errorf(authz.PermissionDenied, "no %s in %q", operation, tenant)
}

// methodsOf are the full names of all methods of a server.
func methodsOf(server *Server) (methods []string) {
	for service, info := range server.grpc.GetServiceInfo() {
		for _, method := range info.Methods {
			methods = append(methods, "/"+service+"/"+method.Name)
		}
	}
	slices.Sort(methods)
	return methods
}

// sendFirst sends one empty message to a method of any kind, and returns how the call
// ends.
func sendFirst(ctx context.Context, conn *grpc.ClientConn, method string, message []byte) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodecV2(rawCodec{}))
	if err != nil {
		return err
	}
	if err := stream.SendMsg(message); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var answer []byte
	return stream.RecvMsg(&answer)
}

// No method answers a stranger, nor a caller who may do nothing; only the health is
// anyone's to ask. A method that is added must be given an operation.
func TestNoMethodAnswersStrangers(t *testing.T) {
	ctx, callers := withToken(t)
	server, conn := start(t, Options{Callers: callers, Gate: admitFunc(refuseAll)})
	methods := methodsOf(server)
	if len(methods) < 20 {
		t.Fatalf("only %d methods were found", len(methods))
	}
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			if _, described := server.guard.door.operations[method]; !described {
				t.Error("the method has no operation: nobody may call it")
			}
			stranger, known := codes.Unauthenticated, codes.PermissionDenied
			switch method {
			case healthpb.Health_Check_FullMethodName, healthpb.Health_Watch_FullMethodName:
				stranger, known = codes.OK, codes.OK
			}
			wantStatus(t, sendFirst(t.Context(), conn, method, nil), stranger)
			if method == verdictv1.AccessService_StreamCheckAccess_FullMethodName {
				return // each of its messages is refused by itself, see below
			}
			wantStatus(t, sendFirst(ctx, conn, method, nil), known)
		})
	}
}

// A method of which it was not said what it does is nobody's, and a call that is not
// known to have come in by the doorway is no caller's, whatever the gate would say.
func TestWhatTheDoorDoesNotKnowIsRefused(t *testing.T) {
	d := newDoor(Options{Gate: admitFunc(func(context.Context, caller.Operation, string) error { return nil })})
	if err := d.admitIn(t.Context(), "/verdict.v1.AccessService/None", ""); authz.KindOf(err) != authz.PermissionDenied {
		t.Errorf("a method that is not known: %v", err)
	}
	for name, ctx := range map[string]context.Context{"the tap": t.Context(), "the doorway": &arrival{Context: caller.Context{Context: t.Context()}}} {
		if err := d.enter(ctx, verdictv1.AccessService_CheckAccess_FullMethodName); authz.KindOf(err) != authz.Internal || err == nil {
			t.Errorf("a call that has not come through %s: %v", name, err)
		}
	}
}

func TestAStrangersMessageIsNotRead(t *testing.T) {
	ctx, callers := withToken(t)
	_, conn := start(t, Options{Callers: callers})
	for _, method := range []string{verdictv1.AccessService_CheckAccess_FullMethodName, verdictv1.DirectoryService_Export_FullMethodName} {
		wantStatus(t, sendFirst(t.Context(), conn, method, []byte{0xff}), codes.Unauthenticated)
		wantStatus(t, sendFirst(ctx, conn, method, []byte{0xff}), codes.InvalidArgument)
	}
}

// The gate is asked about the tenant that the method is then of.
func TestWhatTheGateIsAsked(t *testing.T) {
	text := func(field protowire.Number, value string) []byte {
		return protowire.AppendString(protowire.AppendTag(nil, field, protowire.BytesType), value)
	}
	tenant := text(1, "blue")
	tests := []struct {
		method    string
		message   []byte
		operation caller.Operation
		tenant    string
	}{
		{verdictv1.AccessService_CheckAccess_FullMethodName, nil, caller.Check, "default"},
		{verdictv1.AccessService_CheckAccess_FullMethodName, tenant, caller.Check, "blue"},
		// Of two tenants the last counts, which the generated code reads.
		{verdictv1.AccessService_CheckAccess_FullMethodName, append(text(1, "red"), tenant...), caller.Check, "blue"},
		{verdictv1.AccessService_BatchCheckAccess_FullMethodName, append(tenant, text(6, "")...), caller.Check, "blue"},
		{verdictv1.AccessService_BatchCheckAccess_FullMethodName, append(text(6, ""), tenant...), caller.Check, "blue"},
		{verdictv1.AccessService_StreamCheckAccess_FullMethodName, text(2, string(tenant)), caller.Check, "blue"},
		{verdictv1.AccessService_SearchSubjects_FullMethodName, tenant, caller.Search, "blue"},
		{verdictv1.AccessService_SearchResources_FullMethodName, tenant, caller.Search, "blue"},
		{verdictv1.AccessService_SearchActions_FullMethodName, nil, caller.Search, "default"},
		{verdictv1.AccessService_PlanResources_FullMethodName, tenant, caller.Plan, "blue"},
		{verdictv1.DirectoryService_Write_FullMethodName, tenant, caller.Write, "blue"},
		{verdictv1.DirectoryService_GetEntity_FullMethodName, tenant, caller.Read, "blue"},
		{verdictv1.DirectoryService_ListEntities_FullMethodName, tenant, caller.Read, "blue"},
		{verdictv1.DirectoryService_ListGrants_FullMethodName, tenant, caller.Read, "blue"},
		{verdictv1.DirectoryService_CheckDirectory_FullMethodName, tenant, caller.Read, "blue"},
		{verdictv1.DirectoryService_Import_FullMethodName, text(1, string(tenant)), caller.Import, "blue"},
		{verdictv1.DirectoryService_Export_FullMethodName, tenant, caller.Export, "blue"},
		{verdictv1.DirectoryService_Watch_FullMethodName, nil, caller.Watch, "default"},
		{verdictv1.PolicyService_GetStatus_FullMethodName, tenant, caller.Status, "blue"},
		{verdictv1.PolicyService_GetStatus_FullMethodName, nil, caller.Status, ""},
		{verdictv1.AuditService_ListChanges_FullMethodName, tenant, caller.Audit, "blue"},
		{verdictv1.BackupService_Backup_FullMethodName, nil, caller.Administer, ""},
		{healthpb.Health_List_FullMethodName, nil, caller.Describe, ""},
		{reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName, nil, caller.Describe, ""},
		{reflectionalphapb.ServerReflection_ServerReflectionInfo_FullMethodName, nil, caller.Describe, ""},
	}
	ctx, callers := withToken(t)
	var asked string
	_, conn := start(t, Options{Callers: callers, Gate: admitFunc(func(ctx context.Context, operation caller.Operation, tenant string) error {
		asked = fmt.Sprint(caller.From(ctx), " ", operation, " ", tenant)
		return refuseAll(ctx, operation, tenant)
	})})
	for _, tt := range tests {
		t.Run(tt.method, func(t *testing.T) {
			asked = ""
			err := sendFirst(ctx, conn, tt.method, tt.message)
			if tt.method != verdictv1.AccessService_StreamCheckAccess_FullMethodName {
				wantStatus(t, err, codes.PermissionDenied)
			}
			if want := fmt.Sprint("service:crm ", tt.operation, " ", tt.tenant); asked != want {
				t.Errorf("the gate is asked %q, want %q", asked, want)
			}
		})
	}
}

// One tenant's questions on a stream are refused, and another's answered.
func TestEachQuestionOnAStreamIsAdmitted(t *testing.T) {
	_, conn := start(t, Options{Gate: admitFunc(func(ctx context.Context, operation caller.Operation, tenant string) error {
		if tenant == "blue" {
			return refuseAll(ctx, operation, tenant)
		}
		return nil
	})})
	stream := newStream(t, conn)
	for range 2 {
		refused := stream.ask("1", &verdictv1.CheckAccessRequest{Tenant: "blue", Action: reading().GetAction()}).GetResponse()
		if refused.GetAllowed() || refused.GetError().GetKind() != verdictv1.ErrorKind_ERROR_KIND_PERMISSION_DENIED {
			t.Errorf("in a tenant that is refused: %v", refused)
		}
		if response := stream.ask("2", reading()).GetResponse(); !response.GetAllowed() {
			t.Errorf("in another: %v", response)
		}
	}
}

// Who has lost a role is sent nothing more.
func TestLongCallsEndWithTheRole(t *testing.T) {
	var revoked atomic.Bool
	_, conn := start(t, Options{Gate: admitFunc(func(ctx context.Context, operation caller.Operation, tenant string) error {
		if revoked.Load() && operation != caller.Write {
			return refuseAll(ctx, operation, tenant)
		}
		return nil
	})})
	client := verdictv1.NewDirectoryServiceClient(conn)
	put := func(id string) {
		t.Helper()
		if _, err := client.Write(t.Context(), &verdictv1.WriteRequest{Changes: []*verdictv1.Change{putEntity(&verdictv1.Entity{Type: "user", Id: id})}}); err != nil {
			t.Fatal(err)
		}
	}
	put("mina")
	watch, err := client.Watch(t.Context(), &verdictv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	imported, err := client.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := imported.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: &verdictv1.ImportOptions{}}}); err != nil {
		t.Fatal(err)
	}
	put("olga") // and by now the import has begun, or begins without the role
	revoked.Store(true)
	put("nils")
	for err == nil {
		_, err = watch.Recv()
	}
	wantStatus(t, err, codes.PermissionDenied)
	chunk := &verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Chunk{Chunk: []byte(`{"entity":{"type":"user","id":"late"}}` + "\n")}}
	if err := imported.Send(chunk); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	_, err = imported.CloseAndRecv()
	wantStatus(t, err, codes.PermissionDenied)
}

// The chunks of an import name no tenant, and belong to the one that its options do.
func TestImportIsOfTheTenantOfItsOptions(t *testing.T) {
	_, conn := start(t, Options{Gate: admitFunc(func(ctx context.Context, operation caller.Operation, tenant string) error {
		if tenant != "blue" {
			return refuseAll(ctx, operation, tenant)
		}
		return nil
	})})
	report, err := importLines(t, verdictv1.NewDirectoryServiceClient(conn), &verdictv1.ImportOptions{Tenant: "blue"}, sample, len(sample)/2)
	if err != nil || report.GetApplied() == 0 {
		t.Errorf("by one who may import into it: %v, %v", report, err)
	}
}

// signedToken is a token that holds for a second or two, and who takes it.
func signedToken(t *testing.T) (token string, callers *caller.Authenticator) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	keys := caller.NewKeys(caller.KeysOptions{Name: "test", Logger: zap.NewNop(), Read: func(context.Context) ([]byte, error) { return set, nil }})
	if err := keys.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const skew = 30 // seconds, by which clocks may be off
	token, err = jwt.Signed(signer).Claims(map[string]any{"iss": "test", "aud": "verdict", "sub": "crm", "exp": time.Now().Unix() - skew + 2}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token, caller.New(caller.Options{Issuers: caller.NewIssuers(caller.Issuer{
		Name: "test", Audiences: []string{"verdict"}, Algorithms: []string{"ES256"}, SubjectClaim: "sub", SubjectType: "service", Keys: keys,
	})})
}

// Streams end when what their caller has shown does, though nobody says a word.
func TestStreamsEndWithTheProof(t *testing.T) {
	token, callers := signedToken(t)
	_, conn := start(t, Options{Callers: callers})
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token), time.Minute)
	defer cancel()
	watch, err := verdictv1.NewDirectoryServiceClient(conn).Watch(ctx, &verdictv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	imported, err := verdictv1.NewDirectoryServiceClient(conn).Import(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := imported.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: &verdictv1.ImportOptions{}}}); err != nil {
		t.Fatal(err)
	}
	stream, err := verdictv1.NewAccessServiceClient(conn).StreamCheckAccess(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&verdictv1.StreamCheckAccessRequest{Id: "1", Request: reading()}); err != nil {
		t.Fatal(err)
	}
	if answer, err := stream.Recv(); err != nil || !answer.GetResponse().GetAllowed() {
		t.Fatal(answer, err)
	}
	_, err = stream.Recv()
	if st := wantStatus(t, err, codes.Unauthenticated); !strings.Contains(st.Message(), "what service:crm has shown has expired") {
		t.Error(st.Message())
	}
	_, err = watch.Recv()
	wantStatus(t, err, codes.Unauthenticated)
	wantStatus(t, imported.RecvMsg(new(verdictv1.ImportResponse)), codes.Unauthenticated)
}

// A ready is a stream that takes and gives messages at once.
type ready struct{ grpc.ServerStream }

func (ready) Context() context.Context { return context.Background() }
func (ready) RecvMsg(any) error        { return nil }
func (ready) SendMsg(any) error        { return nil }

// No message passes after the end of what its sender has shown, though it is there already.
func TestNoMessagePassesAfterTheProof(t *testing.T) {
	past := caller.Caller{Subject: authz.EntityRef{Type: "service", ID: "crm"}, Until: time.Now().Add(-time.Second)}
	ctx, end := untilExpiry(caller.NewContext(t.Context(), past))
	defer end()
	if err := ofExpiry(ctx, nil); err != nil {
		t.Errorf("a call that has ended well: %v", err)
	}
	s := &admittedStream{
		announcing: announcing{wire.Stream{ServerStream: ready{}}, &guard{intake: intake.New(intake.Options{Logger: zap.NewNop()}), codec: wire.NewCodec()}},
		ctx:        ctx, door: newDoor(Options{Gate: admitFunc(func(context.Context, caller.Operation, string) error { return nil })}), method: streamMethod,
	}
	for name, err := range map[string]error{
		"a question": s.RecvMsg(new(streamQuestion)),
		"a message":  s.RecvMsg(new(verdictv1.ImportRequest)),
		"an answer":  s.SendMsg(wire.Answer{}),
	} {
		if err = ofExpiry(ctx, err); authz.KindOf(err) != authz.Unauthenticated || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A panicking is a stream on which receiving panics.
type panicking struct{ grpc.ServerStream }

func (panicking) Context() context.Context { return context.Background() }
func (panicking) RecvMsg(any) error        { panic("broken") }

// What a caller's proof bounds is received by a goroutine of its own, whose panic would end
// the process.
func TestPanicWhileAMessageIsReceived(t *testing.T) {
	s := &admittedStream{
		announcing: announcing{wire.Stream{ServerStream: panicking{}}, &guard{logger: zap.NewNop()}},
		ctx:        caller.NewContext(t.Context(), caller.Caller{Until: time.Now().Add(time.Hour)}),
	}
	if err := s.RecvMsg(new(verdictv1.ImportRequest)); !errors.As(err, new(panicError)) {
		t.Errorf("error = %v", err)
	}
}

func newCountingDoor() *admission.Door {
	return admission.NewDoor(admission.DoorOptions{Tenants: map[string]int{authz.DefaultTenant: 1}})
}

// roomOf is how many more calls a door lets in before it refuses one.
func roomOf(t *testing.T, door *admission.Door) (room int) {
	t.Helper()
	for ; ; room++ {
		if _, err := door.Arrive(nil, false); err != nil {
			return room
		}
		if room == 1_000_000 {
			t.Fatal("a door is never crowded")
		}
	}
}

// Calls that are refused leave, so that those of strangers do not crowd out others.
func TestRefusedCallsLeave(t *testing.T) {
	room := roomOf(t, newCountingDoor())
	ctx, callers := withToken(t)
	_, conn := start(t, Options{Callers: callers, Gate: admitFunc(refuseAll), Admission: newCountingDoor()})
	access := verdictv1.NewAccessServiceClient(conn)
	const none = "/verdict.v1.AccessService/None"
	for range room + 10 {
		wantStatus(t, conn.Invoke(t.Context(), none, reading(), reading()), codes.Unauthenticated)
		wantStatus(t, conn.Invoke(ctx, none, reading(), reading()), codes.Unimplemented)
	}
	for range room + 10 {
		_, err := access.CheckAccess(t.Context(), reading())
		wantStatus(t, err, codes.Unauthenticated)
	}
	for range room + 10 {
		_, err := access.CheckAccess(ctx, reading())
		wantStatus(t, err, codes.PermissionDenied)
	}
}

// A call that the intake refuses leaves the door too.
func TestCallsThatTheIntakeRefusesLeave(t *testing.T) {
	door := newCountingDoor()
	_, conn := start(t, Options{Admission: door, Intake: intake.Limits{Calls: 1}})
	stream := newStream(t, conn) // the one call that there may be
	stream.ask("1", reading())
	const calls = 10
	for range calls {
		_, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(t.Context(), reading())
		if st := wantStatus(t, err, codes.ResourceExhausted); !strings.Contains(st.Message(), "more calls are open") {
			t.Fatal(st.Message())
		}
	}
	if room, want := roomOf(t, door), roomOf(t, newCountingDoor()); room != want {
		t.Errorf("there is room for %d calls, want %d", room, want)
	}
}

// What takes turns is not counted at the door meanwhile, as a single check is.
func TestWhatIsCountedWhileItIsDecided(t *testing.T) {
	want := roomOf(t, newCountingDoor())
	for name, counted := range map[string]int{"a check": 1, "a batch": 0} {
		t.Run(name, func(t *testing.T) {
			door, room := newCountingDoor(), 0
			_, conn := start(t, Options{Admission: door, Decider: decideFunc(func(context.Context, *authz.Request, pdp.DecideOptions) (authz.Decision, error) {
				room = roomOf(t, door)
				return authz.Decision{}, nil
			})})
			access := verdictv1.NewAccessServiceClient(conn)
			var err error
			if counted == 1 {
				_, err = access.CheckAccess(t.Context(), reading())
			} else {
				_, err = access.BatchCheckAccess(t.Context(), &verdictv1.BatchCheckAccessRequest{Items: []*verdictv1.BatchCheckAccessItem{{}}})
			}
			if err != nil {
				t.Fatal(err)
			}
			if room != want-counted {
				t.Errorf("there is room for %d calls, want %d", room, want-counted)
			}
		})
	}
}

// A recordingMeter records how the calls of a method end.
type recordingMeter struct {
	method string
	ended  chan<- string
}

func (m recordingMeter) Called(code codes.Code, _ error, _ time.Duration) {
	m.ended <- fmt.Sprint(m.method, " ", code)
}

// Calls that are refused before their methods run are told of, as all others are.
func TestRefusedCallsAreMetered(t *testing.T) {
	ctx, callers := withToken(t)
	tests := map[string]struct {
		ctx       context.Context
		admission *admission.Door
		patience  time.Duration
		want      codes.Code
	}{
		"of a stranger":                 {ctx: t.Context(), want: codes.Unauthenticated},
		"of one who is known":           {ctx: ctx, want: codes.OK},
		"of one too many":               {ctx: ctx, admission: crowded(t), want: codes.ResourceExhausted},
		"of one too many that may last": {ctx: ctx, admission: crowded(t), patience: time.Hour, want: codes.ResourceExhausted},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ended := make(chan string, 2)
			_, conn := start(t, Options{Callers: callers, Admission: tt.admission, Meter: func(method string, _ bool) Meter { return recordingMeter{method, ended} }})
			ctx, cancel := tt.ctx, context.CancelFunc(func() {})
			if tt.patience > 0 {
				ctx, cancel = context.WithTimeout(ctx, tt.patience)
			}
			defer cancel()
			_, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, reading())
			wantStatus(t, err, tt.want)
			close(ended) // what is told is so before the caller is answered
			if got, want := <-ended, fmt.Sprint(verdictv1.AccessService_CheckAccess_FullMethodName, " ", tt.want); got != want {
				t.Errorf("it is told of %q, want %q", got, want)
			}
		})
	}
}
