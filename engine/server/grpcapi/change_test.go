package grpcapi

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

func putEntity(e *verdictv1.Entity) *verdictv1.Change {
	return &verdictv1.Change{Change: &verdictv1.Change_PutEntity{PutEntity: e}}
}

func putGrant(g *verdictv1.Grant) *verdictv1.Change {
	return &verdictv1.Change{Change: &verdictv1.Change_PutGrant{PutGrant: g}}
}

func deleteEntity(ref string) *verdictv1.Change {
	return &verdictv1.Change{Change: &verdictv1.Change_DeleteEntity{DeleteEntity: ref}}
}

func deleteGrant(id string) *verdictv1.Change {
	return &verdictv1.Change{Change: &verdictv1.Change_DeleteGrant{DeleteGrant: id}}
}

func TestChangesComeBack(t *testing.T) {
	tests := []struct {
		name    string
		message *verdictv1.Change
	}{
		{"an entity", putEntity(&verdictv1.Entity{Type: "user", Id: "mina:2", AttributesJson: `{"n":12345678901234567890.10}`, Parents: []string{"department:icu", "group:a:b"}})},
		{"an entity with nothing", putEntity(&verdictv1.Entity{Type: "user", Id: "mina", AttributesJson: "{}"})},
		{"a grant", putGrant(&verdictv1.Grant{
			Id: "g1", Subject: "user:mina", Role: "role:nurse", Scope: "department:icu", Reason: "rota",
			NotBefore: &timestamppb.Timestamp{Seconds: 1767225600, Nanos: 1}, NotAfter: &timestamppb.Timestamp{Seconds: 253402300799, Nanos: 999999999},
		})},
		{"a grant without a window or a scope", putGrant(&verdictv1.Grant{Id: "g1", Subject: "tenant:blue", Role: "role:nurse"})},
		{"an entity's deletion", deleteEntity("user:mina")},
		{"a grant's deletion", deleteGrant("g1")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			change, err := changeOf(tt.message)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.message, changeMessage(change), protocmp.Transform()); diff != "" {
				t.Errorf("change (-before +after):\n%s", diff)
			}
		})
	}
}

func TestRefusedWrites(t *testing.T) {
	good := deleteEntity("user:mina")
	zero := timestamppb.New(time.Time{})
	tests := []struct {
		name   string
		batch  *verdictv1.WriteRequest
		fields []string
	}{
		{"an empty change", &verdictv1.WriteRequest{Changes: []*verdictv1.Change{good, {}}}, []string{"changes[1]"}},
		{"a change that is missing", &verdictv1.WriteRequest{Changes: []*verdictv1.Change{nil}}, []string{"changes[0]"}},
		{
			"several parents",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{putEntity(&verdictv1.Entity{Type: "user", Id: "a", Parents: []string{"icu", "group:b", ":"}})}},
			[]string{"changes[0].put_entity.parents[0]", "changes[0].put_entity.parents[2]"},
		},
		{
			"too many parents",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{putEntity(&verdictv1.Entity{Type: "user", Id: "a", Parents: slices.Repeat([]string{"group:b"}, authz.MaxParents+1)})}},
			[]string{"changes[0].put_entity.parents"},
		},
		{
			"every reference of a grant",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{putGrant(&verdictv1.Grant{Scope: "x"})}},
			[]string{"changes[0].put_grant.subject", "changes[0].put_grant.role", "changes[0].put_grant.scope"},
		},
		{
			"times that are none",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{putGrant(&verdictv1.Grant{
				Subject: "user:a", Role: "role:b", NotBefore: &timestamppb.Timestamp{Nanos: -1}, NotAfter: &timestamppb.Timestamp{Seconds: 253402300800},
			})}},
			[]string{"changes[0].put_grant.not_before", "changes[0].put_grant.not_after"},
		},
		{
			"an end that Go takes for none",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{putGrant(&verdictv1.Grant{Subject: "user:a", Role: "role:b", NotAfter: zero})}},
			[]string{"changes[0].put_grant.not_after"},
		},
		{"a deletion of nothing", &verdictv1.WriteRequest{Changes: []*verdictv1.Change{deleteEntity("")}}, []string{"changes[0].delete_entity"}},
		{
			"preconditions",
			&verdictv1.WriteRequest{
				Changes: []*verdictv1.Change{good},
				Preconditions: []*verdictv1.Precondition{
					{Entity: "mina", Condition: &verdictv1.Precondition_Revision{Revision: 1}},
					{Entity: "user:mina"},
					{Entity: "user:mina", Condition: &verdictv1.Precondition_Revision{}},
					nil,
				},
			},
			[]string{"preconditions[0].entity", "preconditions[1]", "preconditions[2].revision", "preconditions[3].entity"},
		},
		{"too many changes", &verdictv1.WriteRequest{Changes: slices.Repeat([]*verdictv1.Change{nil}, authz.MaxBatchChanges+1)}, []string{"changes"}},
		{
			"too many preconditions",
			&verdictv1.WriteRequest{Changes: []*verdictv1.Change{good}, Preconditions: slices.Repeat([]*verdictv1.Precondition{nil}, authz.MaxBatchChanges+1)},
			[]string{"preconditions"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := batchOf(tt.batch)
			if authz.KindOf(err) != authz.Invalid {
				t.Fatalf("error = %v, want an invalid one", err)
			}
			var fields []string
			for _, v := range authz.ViolationsOf(err) {
				fields = append(fields, v.Field)
			}
			if !slices.Equal(fields, tt.fields) {
				t.Errorf("fields = %q, want %q\n%v", fields, tt.fields, err)
			}
		})
	}
}

// TestFieldsOfRefusedWritesAreThoseOfTheMessage writes what the directory
// refuses, and looks the fields up in the message's description.
func TestFieldsOfRefusedWritesAreThoseOfTheMessage(t *testing.T) {
	write := func(changes ...*verdictv1.Change) *verdictv1.WriteRequest {
		return &verdictv1.WriteRequest{Tenant: "workforce", Changes: changes}
	}
	entity := func(attributes string, parents ...string) *verdictv1.Change {
		return putEntity(&verdictv1.Entity{Type: "role", Id: "r", AttributesJson: attributes, Parents: parents})
	}
	january, july := &timestamppb.Timestamp{Seconds: 1767225600}, &timestamppb.Timestamp{Seconds: 1782864000}
	tests := []struct {
		name  string
		batch *verdictv1.WriteRequest
		field string
	}{
		{"no changes", write(), "changes"},
		{"attributes that are no JSON", write(deleteGrant("g"), entity("{")), "changes[1].put_entity.attributes_json"},
		{"a number that no policy can read", write(entity(`{"n":1e999999}`)), "changes[0].put_entity.attributes_json"},
		{"permissions", write(entity(`{"permissions":[1]}`)), "changes[0].put_entity.attributes_json.permissions"},
		{"a parent twice", write(entity("", "role:a", "role:a")), "changes[0].put_entity.parents"},
		{"a window that never opens", write(putGrant(&verdictv1.Grant{Id: "g", Subject: "user:a", Role: "role:b", NotBefore: july, NotAfter: january})), "changes[0].put_grant.not_after"},
		{"another tenant", write(putGrant(&verdictv1.Grant{Id: "g", Subject: "tenant:other", Role: "role:b"})), "changes[0].put_grant.subject"},
		{"the root", write(deleteEntity("tenant:workforce")), "changes[0].delete_entity"},
		{"no grant", write(deleteGrant("")), "changes[0].delete_grant"},
	}
	d, err := directory.Open(directory.Options{Tenants: []string{"workforce"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	server := &directoryServer{directory: d}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := server.Write(t.Context(), tt.batch)
			violations := authz.ViolationsOf(err)
			if len(violations) != 1 || violations[0].Field != tt.field {
				t.Fatalf("violations = %v, want one of %s (%v)", violations, tt.field, err)
			}
			message := tt.batch.ProtoReflect().Descriptor()
			for name := range strings.SplitSeq(tt.field, ".") {
				if message == nil {
					break // inside of JSON
				}
				name, _, _ = strings.Cut(name, "[")
				field := message.Fields().ByName(protoreflect.Name(name))
				if field == nil {
					t.Fatalf("%s has no field %s", message.FullName(), name)
				}
				message = field.Message()
			}
		})
	}
}
