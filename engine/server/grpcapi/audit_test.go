package grpcapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

func TestAuditTellsWhoChangedWhat(t *testing.T) {
	d := newDirectory(t)
	_, conn := start(t, Options{Directory: d})
	client, audit := verdictv1.NewDirectoryServiceClient(conn), verdictv1.NewAuditServiceClient(conn)
	rota := &verdictv1.Grant{Id: "g1", Subject: "user:mina", Role: "role:nurse", Reason: "rota"}
	if _, err := client.Write(t.Context(), &verdictv1.WriteRequest{
		Changes: []*verdictv1.Change{putEntity(&verdictv1.Entity{Type: "user", Id: "mina", Parents: []string{"group:night"}}), putGrant(rota)},
		Reason:  "joins",
	}); err != nil {
		t.Fatal(err)
	}
	write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: "mina", AttributesJson: `{"age":50}`}))
	write(t, client, deleteEntity("user:mina"))
	if err := d.RecordPolicy(t.Context(), authz.DefaultTenant, authz.Author{}, authz.PolicyChange{Bundle: "clinic", Path: "/p", Before: "0", Revision: "1", Digest: "d", Refused: "no"}); err != nil {
		t.Fatal(err)
	}
	joins, nobody := &verdictv1.Author{Address: "bufconn", Reason: "joins"}, &verdictv1.Author{Address: "bufconn"}
	want := []*verdictv1.RecordedChange{
		{Revision: 4, Author: &verdictv1.Author{}, Change: &verdictv1.RecordedChange_Policy{Policy: &verdictv1.PolicyChange{Bundle: "clinic", Path: "/p", RevisionBefore: "0", Revision: "1", Digest: "d", Refused: "no"}}},
		{Revision: 3, Author: nobody, Change: &verdictv1.RecordedChange_Entity{Entity: &verdictv1.EntityChange{Entity: "user:mina", Deleted: true}}},
		{Revision: 3, Author: nobody, Change: &verdictv1.RecordedChange_Grant{Grant: &verdictv1.GrantChange{Id: "g1", Before: rota}}},
		{Revision: 2, Author: nobody, Change: &verdictv1.RecordedChange_Entity{Entity: &verdictv1.EntityChange{Entity: "user:mina", ParentsRemoved: []string{"group:night"}, Attributes: []string{"age"}}}},
		{Revision: 1, Author: joins, Change: &verdictv1.RecordedChange_Entity{Entity: &verdictv1.EntityChange{Entity: "user:mina", Created: true, ParentsAdded: []string{"group:night"}}}},
		{Revision: 1, Author: joins, Change: &verdictv1.RecordedChange_Grant{Grant: &verdictv1.GrantChange{Id: "g1", After: rota}}},
	}
	for _, size := range []int32{0, 1, 4} {
		request := &verdictv1.ListChangesRequest{PageSize: size}
		var got []*verdictv1.RecordedChange
		for {
			page, err := audit.ListChanges(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.GetChanges()...)
			if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
				break
			}
		}
		if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(&verdictv1.RecordedChange{}, "committed_at")); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", size, diff)
		}
	}
}

func TestAuditFilters(t *testing.T) {
	_, conn := start(t, Options{})
	client, audit := verdictv1.NewDirectoryServiceClient(conn), verdictv1.NewAuditServiceClient(conn)
	write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: "mina"}), putGrant(&verdictv1.Grant{Id: "g1", Subject: "user:mina", Role: "role:nurse"}))
	hour := func(hours time.Duration) *timestamppb.Timestamp {
		return timestamppb.New(time.Now().Add(hours * time.Hour))
	}
	tests := []struct {
		name    string
		request *verdictv1.ListChangesRequest
		want    int
	}{
		{"none", &verdictv1.ListChangesRequest{}, 2},
		{"entity", &verdictv1.ListChangesRequest{Entity: "user:mina"}, 1},
		{"grants", &verdictv1.ListChangesRequest{GrantsOf: "user:mina"}, 1},
		{"both", &verdictv1.ListChangesRequest{Entity: "user:mina", GrantsOf: "user:mina"}, 0},
		{"author", &verdictv1.ListChangesRequest{Author: "service:hr"}, 0},
		{"bundle", &verdictv1.ListChangesRequest{Bundle: "clinic"}, 0},
		{"policy", &verdictv1.ListChangesRequest{PolicyOnly: true}, 0},
		{"since", &verdictv1.ListChangesRequest{Since: hour(1)}, 0},
		{"until", &verdictv1.ListChangesRequest{Until: hour(-1)}, 0},
		{"between", &verdictv1.ListChangesRequest{Since: hour(-1), Until: hour(1)}, 2},
		{"another tenant", &verdictv1.ListChangesRequest{Tenant: "blue"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, err := audit.ListChanges(t.Context(), tt.request)
			if err != nil || len(page.GetChanges()) != tt.want || page.GetNextPageToken() != "" {
				t.Errorf("there are %v, %v", page, err)
			}
		})
	}
}

func TestRefusedAudits(t *testing.T) {
	_, conn := start(t, Options{})
	client, audit := verdictv1.NewDirectoryServiceClient(conn), verdictv1.NewAuditServiceClient(conn)
	write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: "mina"}), putEntity(&verdictv1.Entity{Type: "user", Id: "olga"}))
	page, err := audit.ListChanges(t.Context(), &verdictv1.ListChangesRequest{PageSize: 1})
	if err != nil || page.GetNextPageToken() == "" {
		t.Fatal(page, err)
	}
	for _, another := range []*verdictv1.ListChangesRequest{
		{Tenant: "blue"}, {Entity: "user:olga"}, {GrantsOf: "user:olga"}, {Author: "user:olga"}, {Bundle: "clinic"}, {PolicyOnly: true},
		{Since: timestamppb.Now()}, {Until: timestamppb.Now()},
	} {
		another.PageToken = page.GetNextPageToken()
		_, err = audit.ListChanges(t.Context(), another)
		wantFields(t, err, "page_token")
	}
	for _, size := range []int32{-1, maxPageSize + 1} {
		_, err = audit.ListChanges(t.Context(), &verdictv1.ListChangesRequest{PageSize: size})
		wantFields(t, err, "page_size")
	}
	_, err = audit.ListChanges(t.Context(), &verdictv1.ListChangesRequest{
		Entity: "mina", GrantsOf: "olga", Author: strings.Repeat("x", 3), Since: &timestamppb.Timestamp{Nanos: -1}, Until: timestamppb.New(time.Time{}),
	})
	wantFields(t, err, "entity", "grants_of", "author", "since", "until")
	_, err = audit.ListChanges(t.Context(), &verdictv1.ListChangesRequest{Tenant: "red"})
	wantStatus(t, err, codes.NotFound)
}

// TestPagesOfAuditsAreBounded has changes whose messages are long.
func TestPagesOfAuditsAreBounded(t *testing.T) {
	_, conn := start(t, Options{})
	client, audit := verdictv1.NewDirectoryServiceClient(conn), verdictv1.NewAuditServiceClient(conn)
	var parents []string
	for i := range authz.MaxParents {
		parents = append(parents, fmt.Sprintf("group:%0*d", authz.MaxIDBytes, i))
	}
	const people = 8
	for i := range people {
		write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: string(rune('a' + i)), Parents: parents}))
	}
	request := &verdictv1.ListChangesRequest{}
	seen, pages := 0, 0
	for {
		page, err := audit.ListChanges(t.Context(), request) // receives at most 4 MiB
		if err != nil {
			t.Fatal(err)
		}
		seen, pages = seen+len(page.GetChanges()), pages+1
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if seen != people || pages < 2 {
		t.Errorf("%d changes on %d pages", seen, pages)
	}
}
