package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// notes is how many entities the writers change, over and over, so that the
// directory does not grow.
const notes = 1_000

// breakOff opens a connection to one of the addresses, and leaves in the middle of
// a sentence.
func breakOff(ctx context.Context, w *work, _ *world, n int) error {
	said := []struct{ address, text string }{
		{w.server.grpc, "PRI * HTTP/2.0\r\n\r\nSM"},
		{w.server.grpc, ""},
		{w.server.http, "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"subject\""},
		{w.server.http, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\nGET"},
	}[n%4]
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", said.address)
	if err != nil {
		return err
	}
	_, err = io.WriteString(conn, said.text)
	return errors.Join(err, conn.Close())
}

// writeNote writes an entity that no question asks about, and reads it at the
// revision that the write has told.
func writeNote(ctx context.Context, w *work, world *world, n int) error {
	directory := verdictv1.NewDirectoryServiceClient(w.direct)
	id := fmt.Sprintf("n%04d", n%notes)
	attributes := fmt.Sprintf(`{"n":%d}`, n)
	written, err := directory.Write(ctx, &verdictv1.WriteRequest{Tenant: world.tenant, Changes: []*verdictv1.Change{{
		Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{Type: "note", Id: id, AttributesJson: attributes}},
	}}})
	if err != nil {
		return err
	}
	read, err := directory.GetEntity(ctx, &verdictv1.GetEntityRequest{
		Tenant: world.tenant, Entity: "note:" + id,
		Consistency: &verdictv1.Consistency{Requirement: &verdictv1.Consistency_AtLeast{AtLeast: written.GetRevision()}},
	})
	if err != nil {
		return err
	}
	if got := read.GetEntity().GetEntity().GetAttributesJson(); got != attributes {
		return fmt.Errorf("note:%s was written with %s, and read with %s", id, attributes, got)
	}
	return nil
}

// importNotes imports as many, and deletes some of those again.
func importNotes(ctx context.Context, w *work, world *world, n int) error {
	var lines bytes.Buffer
	for i := range notes {
		fmt.Fprintf(&lines, `{"entity":{"type":"memo","id":"m%04d","attributes":{"text":"memo %d of import %d"}}}`+"\n", i, i, n)
	}
	for i := 0; i < notes; i += 10 {
		fmt.Fprintf(&lines, `{"delete":{"entity":"memo:m%04d"}}`+"\n", i)
	}
	stream, err := verdictv1.NewDirectoryServiceClient(w.direct).Import(ctx)
	if err != nil {
		return err
	}
	for _, part := range []*verdictv1.ImportRequest{
		{Part: &verdictv1.ImportRequest_Options{Options: &verdictv1.ImportOptions{Tenant: world.tenant}}},
		{Part: &verdictv1.ImportRequest_Chunk{Chunk: lines.Bytes()}},
	} {
		if err := stream.Send(part); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	report, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	if want := uint64(notes + notes/10); report.GetLines() != want || report.GetRefused() > 0 {
		return fmt.Errorf("of %d lines %d were read and %d refused", want, report.GetLines(), report.GetRefused())
	}
	return nil
}

// export reads a whole tenant, which has to hold all that the world does.
func export(ctx context.Context, w *work, world *world, _ int) error {
	lines, err := w.export(ctx, world.tenant)
	if err != nil {
		return err
	}
	if got := bytes.Count(lines, []byte("\n")); got < len(world.changes) {
		return fmt.Errorf("the export has %d lines: expected at least %d", got, len(world.changes))
	}
	return nil
}

func (w *work) export(ctx context.Context, tenant string) ([]byte, error) {
	stream, err := verdictv1.NewDirectoryServiceClient(w.direct).Export(ctx, &verdictv1.ExportRequest{Tenant: tenant})
	return collect(stream, err)
}

func collect(stream grpc.ServerStreamingClient[verdictv1.ExportResponse], err error) ([]byte, error) {
	var lines bytes.Buffer
	for err == nil {
		var part *verdictv1.ExportResponse
		if part, err = stream.Recv(); err == nil {
			lines.Write(part.GetChunk())
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return lines.Bytes(), err
}

// watchLasts is how long somebody watches before going away.
const watchLasts = 2 * time.Second

// watch follows the changes for a while, which have to come in order.
func watch(ctx context.Context, w *work, world *world, _ int) error {
	latest, err := w.latest(ctx, world.tenant)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, watchLasts)
	defer cancel()
	stream, err := verdictv1.NewDirectoryServiceClient(w.direct).Watch(short, &verdictv1.WatchRequest{Tenant: world.tenant, AfterRevision: latest})
	for seen := latest; err == nil; {
		var change *verdictv1.WatchResponse
		if change, err = stream.Recv(); err == nil {
			if change.GetRevision() < seen || change.GetRevision() == latest {
				return fmt.Errorf("a watch after revision %d tells of %d after %d", latest, change.GetRevision(), seen)
			}
			seen = change.GetRevision()
		}
	}
	if status.Code(err) == codes.DeadlineExceeded { // and only that of short can be
		return nil
	}
	return err
}

func (w *work) latest(ctx context.Context, tenant string) (uint64, error) {
	page, err := verdictv1.NewDirectoryServiceClient(w.direct).ListEntities(ctx, &verdictv1.ListEntitiesRequest{Tenant: tenant, Type: "note", PageSize: 1})
	return page.GetDirectoryRevision(), err
}

// activationLasts is how long a policy may take to become active on a machine that
// is flooded.
const activationLasts = 30 * time.Second

// reload puts another policy in the place of the one that decides, which says the
// same, and waits for it to become active; every fifth cannot be compiled, and is
// not to.
func reload(ctx context.Context, w *work, world *world, n int) error {
	text, broken := fmt.Sprintf("package authz.soak\n\nround := %d\n", n), n%5 == 4
	if broken {
		text = "package authz.soak\n\nround := {\n"
	}
	before, err := w.policy(ctx, world.tenant)
	if err != nil {
		return err
	}
	beside := filepath.Join(w.server.dir, world.tenant+".rego")
	if err := errors.Join(
		os.WriteFile(beside, []byte(text), 0o600),
		os.Rename(beside, filepath.Join(w.server.dir, world.tenant, "soak.rego")),
	); err != nil {
		return err
	}
	for over := time.Now().Add(activationLasts); ; {
		is, err := w.policy(ctx, world.tenant)
		if err != nil {
			return err
		}
		another := !is.GetActivatedAt().AsTime().Equal(before.GetActivatedAt().AsTime())
		switch {
		case broken && another:
			return errors.New("a policy that cannot be compiled has become active")
		case broken && is.GetLastError() != "", another && is.GetLastError() == "":
			return nil
		case time.Now().After(over):
			return fmt.Errorf("a policy was not active in %v: %s", activationLasts, is.GetLastError())
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// policy is the state of a tenant's policy.
func (w *work) policy(ctx context.Context, tenant string) (*verdictv1.PolicyStatus, error) {
	all, err := verdictv1.NewPolicyServiceClient(w.direct).GetStatus(ctx, &verdictv1.GetStatusRequest{})
	if err != nil {
		return nil, err
	}
	for _, policy := range all.GetPolicies() {
		if policy.GetTenant() == tenant {
			return policy, nil
		}
	}
	return nil, fmt.Errorf("the server does not know the tenant %s", tenant)
}
