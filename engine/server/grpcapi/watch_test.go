package grpcapi

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

func watch(t *testing.T, client verdictv1.DirectoryServiceClient, after uint64) grpc.ServerStreamingClient[verdictv1.WatchResponse] {
	t.Helper()
	stream, err := client.Watch(t.Context(), &verdictv1.WatchRequest{AfterRevision: after})
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

func TestWatchTellsEveryChangeOnce(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	mina := putEntity(&verdictv1.Entity{Type: "user", Id: "mina", AttributesJson: "{}"})
	older := putEntity(&verdictv1.Entity{Type: "user", Id: "mina", AttributesJson: `{"age":50}`})
	rota := putGrant(&verdictv1.Grant{Id: "g1", Subject: "user:mina", Role: "role:nurse"})

	first := write(t, client, mina)
	stream := watch(t, client, first)
	if _, err := stream.Header(); err != nil { // comes before any change
		t.Fatal(err)
	}
	want := []*verdictv1.WatchResponse{
		{Revision: write(t, client, older, rota), Changes: []*verdictv1.Change{older, rota}, Author: &verdictv1.Author{Address: "bufconn"}},
		{Revision: write(t, client, deleteEntity("user:mina")), Changes: []*verdictv1.Change{deleteEntity("user:mina"), deleteGrant("g1")}, Author: &verdictv1.Author{Address: "bufconn"}},
	}
	for _, want := range want {
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if got.GetCommittedAt() == nil {
			t.Error("a change without a time")
		}
		got.CommittedAt = nil
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("change (-want +got):\n%s", diff)
		}
	}
}

// A changing directory has one change to tell.
type changing struct {
	Directory
	record directory.ChangeRecord
}

func (c changing) Watch(ctx context.Context, _ string, _ uint64, visit func(directory.ChangeRecord) error) error {
	if err := visit(c.record); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestLargeChangeComesInParts(t *testing.T) {
	const entities = 100
	record := directory.ChangeRecord{Revision: 7, Time: time.Unix(1767225600, 0)}
	attributes := fmt.Appendf(nil, `{"note":"%s"}`, strings.Repeat("x", 60<<10))
	for i := range entities {
		ref := authz.EntityRef{Type: "user", ID: fmt.Sprint(i)}
		record.Changes = append(record.Changes, authz.Change{PutEntity: &authz.Entity{Ref: ref, Attributes: attributes}})
	}
	_, conn := start(t, Options{Directory: changing{newDirectory(t), record}})
	stream := watch(t, verdictv1.NewDirectoryServiceClient(conn), 0)
	parts, seen := 0, 0
	for {
		part, err := stream.Recv() // receives at most 4 MiB
		if err != nil {
			t.Fatal(err)
		}
		if part.GetRevision() != 7 || part.GetCommittedAt().GetSeconds() != 1767225600 {
			t.Errorf("part %d is of revision %d at %v", parts, part.GetRevision(), part.GetCommittedAt())
		}
		for _, change := range part.GetChanges() {
			if got := change.GetPutEntity().GetId(); got != fmt.Sprint(seen) {
				t.Fatalf("entity %s after %d", got, seen)
			}
			seen++
		}
		parts++
		if !part.GetContinued() {
			break
		}
	}
	if seen != entities || parts < 3 {
		t.Errorf("%d entities in %d parts, want %d in at least 3", seen, parts, entities)
	}
}

// TestWatchTellsEveryAuthor has a revision with writes of two authors, and one whose
// author is not known.
func TestWatchTellsEveryAuthor(t *testing.T) {
	dan := &authz.Author{Subject: authz.EntityRef{Type: "service", ID: "hr"}, Method: "jwt", Address: "10.0.0.7", OnBehalfOf: authz.EntityRef{Type: "user", ID: "dan"}, Reason: "rota"}
	again, nobody := *dan, &authz.Author{}
	record := directory.ChangeRecord{Revision: 7, Authors: []*authz.Author{dan, &again, nobody, nil}}
	for i := range record.Authors {
		record.Changes = append(record.Changes, authz.Change{DeleteEntity: &authz.EntityRef{Type: "user", ID: fmt.Sprint(i)}})
	}
	_, conn := start(t, Options{Directory: changing{newDirectory(t), record}})
	stream := watch(t, verdictv1.NewDirectoryServiceClient(conn), 0)
	want := []*verdictv1.WatchResponse{
		{
			Revision: 7, Continued: true, Changes: []*verdictv1.Change{deleteEntity("user:0"), deleteEntity("user:1")},
			Author: &verdictv1.Author{Subject: "service:hr", Method: "jwt", Address: "10.0.0.7", OnBehalfOf: "user:dan", Reason: "rota"},
		},
		{Revision: 7, Continued: true, Changes: []*verdictv1.Change{deleteEntity("user:2")}, Author: &verdictv1.Author{}},
		{Revision: 7, Changes: []*verdictv1.Change{deleteEntity("user:3")}},
	}
	for _, want := range want {
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("part (-want +got):\n%s", diff)
		}
	}
}

func TestWatchEndsWithItsCaller(t *testing.T) {
	ended := make(chan error, 1)
	_, conn := start(t, Options{Directory: ending{newDirectory(t), ended}})
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := verdictv1.NewDirectoryServiceClient(conn).Watch(ctx, &verdictv1.WatchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; authz.KindOf(err) != authz.Canceled {
		t.Errorf("the watch ended with %v, want canceled", err)
	}
}

// An ending directory tells how a watch ended.
type ending struct {
	Directory
	ended chan error
}

func (e ending) Watch(ctx context.Context, tenant string, after uint64, visit func(directory.ChangeRecord) error) error {
	err := e.Directory.Watch(ctx, tenant, after, visit)
	e.ended <- err
	return err
}

func TestShutdownEndsWatches(t *testing.T) {
	server, conn := start(t, Options{})
	stream := watch(t, verdictv1.NewDirectoryServiceClient(conn), 0)
	if _, err := stream.Header(); err != nil {
		t.Fatal(err)
	}
	if err := server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := stream.Recv()
	wantStatus(t, err, codes.Unavailable)
}

func TestRefusedWatches(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	tests := []struct {
		name    string
		request *verdictv1.WatchRequest
		code    codes.Code
	}{
		{"of an unknown tenant", &verdictv1.WatchRequest{Tenant: "red"}, codes.NotFound},
		{"from a revision to come", &verdictv1.WatchRequest{AfterRevision: 1 << 40}, codes.FailedPrecondition},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stream, err := client.Watch(t.Context(), tt.request)
			if err != nil {
				t.Fatal(err)
			}
			_, err = stream.Recv()
			wantStatus(t, err, tt.code)
		})
	}
}
