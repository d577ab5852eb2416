package grpcapi

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/caller"
)

func TestAuthorIsTheCallerAndWhatItSays(t *testing.T) {
	hr := caller.Caller{Subject: authz.EntityRef{Type: "service", ID: "hr"}, Method: caller.MTLS, Address: "10.0.0.7"}
	said := &verdictv1.WriteRequest{Reason: "rota", OnBehalfOf: "user:dan"}
	dan := authz.EntityRef{Type: "user", ID: "dan"}
	from := func(addr net.Addr) context.Context { return peer.NewContext(t.Context(), &peer.Peer{Addr: addr}) }
	ip := &net.TCPAddr{IP: net.ParseIP("::1"), Port: 7}
	tests := []struct {
		name    string
		ctx     context.Context
		message authored
		want    authz.Author
	}{
		{"nobody, from nowhere", t.Context(), &verdictv1.WriteRequest{}, authz.Author{}},
		{"nobody, from an address", from(ip), said, authz.Author{Address: "::1", Reason: "rota", OnBehalfOf: dan}},
		{"nobody, from a socket", from(&net.UnixAddr{Net: "unix", Name: "@"}), said, authz.Author{Address: "unix", Reason: "rota", OnBehalfOf: dan}},
		{"a caller", caller.NewContext(from(ip), hr), said, authz.Author{Subject: hr.Subject, Method: "mtls", Address: "10.0.0.7", Reason: "rota", OnBehalfOf: dan}},
		{"an import", caller.NewContext(t.Context(), hr), &verdictv1.ImportOptions{Reason: "rota"}, authz.Author{Subject: hr.Subject, Method: "mtls", Address: "10.0.0.7", Reason: "rota"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := authorOf(tt.ctx, tt.message); err != nil || got != tt.want {
				t.Errorf("the author is %+v, %v", got, err)
			}
		})
	}
}

func TestRefusedAuthors(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	longest := strings.Repeat("x", authz.MaxReasonBytes)
	tests := []struct {
		name, reason, onBehalfOf, field string
	}{
		{"longest reason", longest, "", ""},
		{"reason too long", longest + "x", "", "reason"},
		{"no person", "", "dan", "on_behalf_of"},
		{"a person who cannot be stored", "", "tenant:default", "on_behalf_of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mina := putEntity(&verdictv1.Entity{Type: "user", Id: "mina"})
			_, err := client.Write(t.Context(), &verdictv1.WriteRequest{Changes: []*verdictv1.Change{mina}, Reason: tt.reason, OnBehalfOf: tt.onBehalfOf})
			stream, streamErr := client.Import(t.Context())
			if streamErr != nil {
				t.Fatal(streamErr)
			}
			options := &verdictv1.ImportOptions{Reason: tt.reason, OnBehalfOf: tt.onBehalfOf}
			if err := stream.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: options}}); err != nil {
				t.Fatal(err)
			}
			_, importErr := stream.CloseAndRecv()
			if tt.field == "" {
				wantStatus(t, err, codes.OK)
				wantStatus(t, importErr, codes.OK)
				return
			}
			wantFields(t, err, tt.field)
			wantFields(t, importErr, "options."+tt.field)
		})
	}
}
