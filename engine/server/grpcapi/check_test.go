package grpcapi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func TestCheckDirectory(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	revision := write(t, client,
		putEntity(&verdictv1.Entity{Type: "user", Id: "mina", Parents: []string{"department:icu"}}),
		putGrant(&verdictv1.Grant{Id: "g1", Subject: "user:mina", Role: "role:nurse"}),
	)
	got, err := client.CheckDirectory(t.Context(), &verdictv1.CheckDirectoryRequest{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	want := &verdictv1.CheckDirectoryResponse{
		DirectoryRevision: revision,
		Dangling: []*verdictv1.DanglingReference{
			{Holder: &verdictv1.DanglingReference_Entity{Entity: "user:mina"}, Member: "parents", Ref: "department:icu"},
			{Holder: &verdictv1.DanglingReference_Grant{Grant: "g1"}, Member: "role", Ref: "role:nurse"},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	_, err = client.CheckDirectory(t.Context(), &verdictv1.CheckDirectoryRequest{Tenant: "red"})
	wantStatus(t, err, codes.NotFound)
}
