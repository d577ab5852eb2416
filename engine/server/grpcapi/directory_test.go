package grpcapi

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// write writes changes to the tenant default.
func write(t *testing.T, client verdictv1.DirectoryServiceClient, changes ...*verdictv1.Change) uint64 {
	t.Helper()
	response, err := client.Write(t.Context(), &verdictv1.WriteRequest{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetRevision()
}

func TestWriteAndGet(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	mina := &verdictv1.Entity{Type: "user", Id: "mina", AttributesJson: `{"b":1.10,"a":{}}`, Parents: []string{"department:icu"}}
	revision := write(t, client, putEntity(mina))

	got, err := client.GetEntity(t.Context(), &verdictv1.GetEntityRequest{
		Entity: "user:mina", Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: revision}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &verdictv1.GetEntityResponse{
		Entity: &verdictv1.EntityRecord{
			Entity:   &verdictv1.Entity{Type: "user", Id: "mina", AttributesJson: `{"a":{},"b":1.10}`, Parents: []string{"department:icu"}},
			Revision: revision,
		},
		DirectoryRevision: revision,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("entity (-want +got):\n%s", diff)
	}

	later := write(t, client, deleteEntity("user:mina"))
	_, err = client.GetEntity(t.Context(), &verdictv1.GetEntityRequest{Entity: "user:mina"})
	wantStatus(t, err, codes.NotFound)
	if later <= revision {
		t.Errorf("revision %d after %d", later, revision)
	}
	past := &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{Exact: revision}}
	if _, err := client.GetEntity(t.Context(), &verdictv1.GetEntityRequest{Entity: "user:mina", Consistency: past}); err != nil {
		t.Errorf("at the revision before the deletion: %v", err)
	}
	_, err = client.GetEntity(t.Context(), &verdictv1.GetEntityRequest{Tenant: "blue", Entity: "user:mina", Consistency: past})
	wantStatus(t, err, codes.NotFound)
}

func TestRefusedByTheDirectory(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	entity := putEntity(&verdictv1.Entity{Type: "user", Id: "mina"})
	absent := []*verdictv1.Precondition{{Entity: "user:mina", Condition: &verdictv1.Precondition_Absent_{Absent: &verdictv1.Precondition_Absent{}}}}
	write(t, client, entity)
	tests := []struct {
		name    string
		request *verdictv1.WriteRequest
		code    codes.Code
		text    string
	}{
		{"an unknown tenant", &verdictv1.WriteRequest{Tenant: "red", Changes: []*verdictv1.Change{entity}}, codes.NotFound, "red"},
		{"nothing to write", &verdictv1.WriteRequest{}, codes.InvalidArgument, "changes"},
		{"attributes that are no JSON", &verdictv1.WriteRequest{Changes: []*verdictv1.Change{putEntity(&verdictv1.Entity{Type: "user", Id: "a", AttributesJson: "{"})}}, codes.InvalidArgument, "changes[0]"},
		{"an unmet precondition", &verdictv1.WriteRequest{Changes: []*verdictv1.Change{entity}, Preconditions: absent}, codes.FailedPrecondition, "user:mina"},
		{
			"a cycle",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{
				putEntity(&verdictv1.Entity{Type: "group", Id: "a", Parents: []string{"group:b"}}),
				putEntity(&verdictv1.Entity{Type: "group", Id: "b", Parents: []string{"group:a"}}),
			}},
			codes.FailedPrecondition, "group:a",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.Write(t.Context(), tt.request)
			if st := wantStatus(t, err, tt.code); !strings.Contains(st.Message(), tt.text) {
				t.Errorf("message = %q, want it to name %q", st.Message(), tt.text)
			}
		})
	}
}

func TestPagesShowOneSnapshot(t *testing.T) {
	const users = 25
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	var want []string
	for i := range users {
		id := fmt.Sprintf("u%02d", i)
		write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: id}))
		want = append(want, id)
	}
	for _, size := range []int32{1, 10, users - 1, users, users + 1, 0} {
		t.Run(fmt.Sprintf("pages of %d", size), func(t *testing.T) {
			var got []string
			request := &verdictv1.ListEntitiesRequest{Type: "user", PageSize: size}
			var revision uint64
			for {
				page, err := client.ListEntities(t.Context(), request)
				if err != nil {
					t.Fatal(err)
				}
				if size > 0 && len(page.GetEntities()) > int(size) {
					t.Fatalf("a page of %d entities", len(page.GetEntities()))
				}
				if revision != 0 && page.GetDirectoryRevision() != revision {
					t.Fatalf("a page at revision %d after one at %d", page.GetDirectoryRevision(), revision)
				}
				revision = page.GetDirectoryRevision()
				for _, record := range page.GetEntities() {
					got = append(got, record.GetEntity().GetId())
				}
				if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
					break
				}
				// What is written between two pages is on neither.
				write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: "zz"}))
			}
			if !slices.Equal(got, want) {
				t.Errorf("listed %q, want %q", got, want)
			}
			write(t, client, deleteEntity("user:zz"))
		})
	}
}

func TestPageStaysBelowTheSizeOfAMessage(t *testing.T) {
	const users = 100
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	attributes := fmt.Sprintf(`{"note":"%s"}`, strings.Repeat("x", 60<<10))
	for i := range users {
		write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: fmt.Sprintf("u%02d", i), AttributesJson: attributes}))
	}
	request := &verdictv1.ListEntitiesRequest{Type: "user", PageSize: maxPageSize}
	listed, pages := 0, 0
	for {
		page, err := client.ListEntities(t.Context(), request) // receives at most 4 MiB
		if err != nil {
			t.Fatal(err)
		}
		listed += len(page.GetEntities())
		pages++
		if request.PageToken = page.GetNextPageToken(); request.PageToken == "" {
			break
		}
	}
	if listed != users || pages < 3 {
		t.Errorf("%d entities on %d pages, want %d on at least 3", listed, pages, users)
	}
}

func TestListGrants(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	write(t, client,
		putGrant(&verdictv1.Grant{Id: "g1", Subject: "user:mina", Role: "role:nurse", Scope: "department:icu"}),
		putGrant(&verdictv1.Grant{Id: "g2", Subject: "user:mina", Role: "role:staff"}),
		putGrant(&verdictv1.Grant{Id: "g3", Subject: "user:olga", Role: "role:nurse", Scope: "department:icu"}),
	)
	tests := []struct {
		name    string
		request *verdictv1.ListGrantsRequest
		want    []string
	}{
		{"all", &verdictv1.ListGrantsRequest{}, []string{"g1", "g2", "g3"}},
		{"by subject", &verdictv1.ListGrantsRequest{Subject: "user:mina"}, []string{"g1", "g2"}},
		{"by role", &verdictv1.ListGrantsRequest{Role: "role:nurse"}, []string{"g1", "g3"}},
		{"by scope", &verdictv1.ListGrantsRequest{Scope: "department:icu"}, []string{"g1", "g3"}},
		{"by the root as scope", &verdictv1.ListGrantsRequest{Scope: "tenant:default"}, []string{"g2"}},
		{"by all three", &verdictv1.ListGrantsRequest{Subject: "user:mina", Role: "role:nurse", Scope: "department:icu"}, []string{"g1"}},
		{"none", &verdictv1.ListGrantsRequest{Subject: "user:nobody"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int32{1, 2, 100} {
				tt.request.PageSize, tt.request.PageToken = size, ""
				var got []string
				for {
					page, err := client.ListGrants(t.Context(), tt.request)
					if err != nil {
						t.Fatal(err)
					}
					for _, grant := range page.GetGrants() {
						got = append(got, grant.GetId())
					}
					if tt.request.PageToken = page.GetNextPageToken(); tt.request.PageToken == "" {
						break
					}
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("in pages of %d: %q, want %q", size, got, tt.want)
				}
			}
		})
	}
}

// TestGrantsOfAnotherListing goes on with a listing of grants by other filters than it began
// with.
func TestGrantsOfAnotherListing(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	of := &verdictv1.ListGrantsRequest{Subject: "user:mina", Role: "role:nurse", Scope: "department:icu", PageSize: 1}
	write(t, client,
		putGrant(&verdictv1.Grant{Id: "g1", Subject: of.Subject, Role: of.Role, Scope: of.Scope}),
		putGrant(&verdictv1.Grant{Id: "g2", Subject: of.Subject, Role: of.Role, Scope: of.Scope}),
	)
	page, err := client.ListGrants(t.Context(), of)
	if err != nil || page.GetNextPageToken() == "" {
		t.Fatalf("%v, %v: want a page before the last", page, err)
	}
	for name, change := range map[string]func(*verdictv1.ListGrantsRequest){
		"another subject": func(r *verdictv1.ListGrantsRequest) { r.Subject = "user:olga" },
		"another role":    func(r *verdictv1.ListGrantsRequest) { r.Role = "role:staff" },
		"another scope":   func(r *verdictv1.ListGrantsRequest) { r.Scope = "tenant:default" },
		"no filter":       func(r *verdictv1.ListGrantsRequest) { r.Subject, r.Role, r.Scope = "", "", "" },
		"another tenant":  func(r *verdictv1.ListGrantsRequest) { r.Tenant = "blue" },
	} {
		t.Run(name, func(t *testing.T) {
			other := proto.Clone(of).(*verdictv1.ListGrantsRequest)
			other.PageToken = page.GetNextPageToken()
			change(other)
			_, err := client.ListGrants(t.Context(), other)
			wantFields(t, err, "page_token")
		})
	}
}

func TestRefusedListings(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	write(t, client, putEntity(&verdictv1.Entity{Type: "user", Id: "a"}), putEntity(&verdictv1.Entity{Type: "user", Id: "b"}))
	page, err := client.ListEntities(t.Context(), &verdictv1.ListEntitiesRequest{Type: "user", PageSize: 1})
	if err != nil {
		t.Fatal(err)
	}
	token := page.GetNextPageToken()
	entities := []struct {
		name    string
		request *verdictv1.ListEntitiesRequest
		field   string
	}{
		{"no type", &verdictv1.ListEntitiesRequest{}, "type"},
		{"a type that is none", &verdictv1.ListEntitiesRequest{Type: "User"}, "type"},
		{"a negative size", &verdictv1.ListEntitiesRequest{Type: "user", PageSize: -1}, "page_size"},
		{"a size over the limit", &verdictv1.ListEntitiesRequest{Type: "user", PageSize: maxPageSize + 1}, "page_size"},
		{"a token that is none", &verdictv1.ListEntitiesRequest{Type: "user", PageToken: "x"}, "page_token"},
		{"the token of another type", &verdictv1.ListEntitiesRequest{Type: "group", PageToken: token}, "page_token"},
		{"the token of another tenant", &verdictv1.ListEntitiesRequest{Tenant: "blue", Type: "user", PageToken: token}, "page_token"},
		{"the exact revision 0", &verdictv1.ListEntitiesRequest{Type: "user", Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_Exact{}}}, "consistency.exact"},
	}
	for _, tt := range entities {
		t.Run(tt.name, func(t *testing.T) {
			_, err := client.ListEntities(t.Context(), tt.request)
			wantFields(t, err, tt.field)
		})
	}
	t.Run("a page of the limit", func(t *testing.T) {
		if _, err := client.ListEntities(t.Context(), &verdictv1.ListEntitiesRequest{Type: "user", PageSize: maxPageSize}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a tenant that is not there", func(t *testing.T) {
		_, err := client.ListEntities(t.Context(), &verdictv1.ListEntitiesRequest{Tenant: "red", Type: "user"})
		wantStatus(t, err, codes.NotFound)
	})
	t.Run("filters that are no references", func(t *testing.T) {
		_, err := client.ListGrants(t.Context(), &verdictv1.ListGrantsRequest{Subject: "mina", Role: "nurse", Scope: "icu"})
		wantFields(t, err, "subject", "role", "scope")
	})
	t.Run("filters that name another tenant", func(t *testing.T) {
		_, err := client.ListGrants(t.Context(), &verdictv1.ListGrantsRequest{Subject: "tenant:blue", Role: "tenant:blue", Scope: "tenant:blue"})
		wantFields(t, err, "subject", "role", "scope")
		_, err = client.ListGrants(t.Context(), &verdictv1.ListGrantsRequest{Tenant: "blue", Scope: "tenant:default"})
		wantFields(t, err, "scope")
	})
	t.Run("an entity's page token for grants", func(t *testing.T) {
		_, err := client.ListGrants(t.Context(), &verdictv1.ListGrantsRequest{PageToken: token})
		wantFields(t, err, "page_token")
	})
	t.Run("an entity without a type", func(t *testing.T) {
		_, err := client.GetEntity(t.Context(), &verdictv1.GetEntityRequest{Entity: "mina"})
		wantFields(t, err, "entity")
	})
}
