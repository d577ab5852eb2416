package grpcapi

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

const sample = `{"entity":{"type":"department","id":"icu"}}
{"entity":{"type":"user","id":"mina","attributes":{"clearance":2},"parents":["department:icu"]}}
{"grant":{"id":"g1","subject":"user:mina","role":"role:nurse","scope":"department:icu"}}
`

// importLines imports in chunks of a size.
func importLines(t *testing.T, client verdictv1.DirectoryServiceClient, options *verdictv1.ImportOptions, lines string, size int) (*verdictv1.ImportResponse, error) {
	t.Helper()
	stream, err := client.Import(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: options}}); err != nil {
		t.Fatal(err)
	}
	for len(lines) > 0 {
		n := min(size, len(lines))
		if err := stream.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Chunk{Chunk: []byte(lines[:n])}}); err != nil {
			break // the status says why
		}
		lines = lines[n:]
	}
	return stream.CloseAndRecv()
}

// exportLines exports and joins the chunks.
func exportLines(t *testing.T, client verdictv1.DirectoryServiceClient, request *verdictv1.ExportRequest) (lines string, revision uint64, err error) {
	t.Helper()
	stream, err := client.Export(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return text.String(), revision, nil
		}
		if err != nil {
			return "", 0, err
		}
		if revision != 0 {
			t.Error("a message follows the one with the revision")
		}
		if len(part.GetChunk()) > maxChunkBytes {
			t.Errorf("a chunk of %d bytes", len(part.GetChunk()))
		}
		text.Write(part.GetChunk())
		revision = part.GetDirectoryRevision()
	}
}

func TestImportAndExport(t *testing.T) {
	for _, size := range []int{1, 7, 1 << 20} {
		t.Run(fmt.Sprintf("in chunks of %d bytes", size), func(t *testing.T) {
			_, conn := start(t, Options{})
			client := verdictv1.NewDirectoryServiceClient(conn)
			report, err := importLines(t, client, &verdictv1.ImportOptions{Tenant: "blue"}, sample, size)
			if err != nil {
				t.Fatal(err)
			}
			if report.GetLines() != 3 || report.GetApplied() != 3 || report.GetRefused() != 0 {
				t.Errorf("report = %v, want three lines applied", report)
			}
			again, err := importLines(t, client, &verdictv1.ImportOptions{Tenant: "blue"}, sample, size)
			if err != nil || again.GetUnchanged() != 3 || again.GetRevision() != report.GetRevision() {
				t.Errorf("the same again = %v, %v, want three lines unchanged at revision %d", again, err, report.GetRevision())
			}
			got, revision, err := exportLines(t, client, &verdictv1.ExportRequest{Tenant: "blue"})
			if err != nil {
				t.Fatal(err)
			}
			if got != sample {
				t.Errorf("export =\n%s\nwant\n%s", got, sample)
			}
			if revision != report.GetRevision() {
				t.Errorf("revision = %d, want %d", revision, report.GetRevision())
			}
		})
	}
}

func TestLongExportComesInChunks(t *testing.T) {
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	var lines strings.Builder
	for i := range 5_000 {
		fmt.Fprintf(&lines, "{\"entity\":{\"type\":\"user\",\"id\":\"u%04d\",\"attributes\":{\"note\":\"%s\"}}}\n", i, strings.Repeat("x", 100))
	}
	if _, err := importLines(t, client, &verdictv1.ImportOptions{}, lines.String(), 100_000); err != nil {
		t.Fatal(err)
	}
	got, _, err := exportLines(t, client, &verdictv1.ExportRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got != lines.String() {
		t.Errorf("the export of %d bytes is not the import of %d", len(got), lines.Len())
	}
}

func TestImportOptions(t *testing.T) {
	const bad = "{\"entity\":{\"type\":\"user\",\"id\":\"a\"}}\nrubbish\n{\"entity\":{\"type\":\"user\",\"id\":\"b\"}}\n"
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)

	_, err := importLines(t, client, &verdictv1.ImportOptions{}, bad, 1<<20)
	if st := wantStatus(t, err, codes.InvalidArgument); !strings.Contains(st.Message(), "line 2") {
		t.Errorf("message = %q, want it to name line 2", st.Message())
	}
	_, err = client.GetEntity(t.Context(), &verdictv1.GetEntityRequest{Entity: "user:a"})
	wantStatus(t, err, codes.NotFound)

	checked, err := importLines(t, client, &verdictv1.ImportOptions{ValidateOnly: true}, bad, 1<<20)
	if err != nil || checked.GetLines() != 3 || checked.GetRefused() != 1 || checked.GetApplied() != 0 {
		t.Errorf("validated: %v, %v, want one of three lines refused and none applied", checked, err)
	}
	kept, err := importLines(t, client, &verdictv1.ImportOptions{KeepGoing: true}, bad, 1<<20)
	if err != nil || kept.GetApplied() != 2 || len(kept.GetErrors()) != 1 || kept.GetErrors()[0].GetLine() != 2 {
		t.Errorf("kept going: %v, %v, want two lines applied and line 2 refused", kept, err)
	}
}

func TestRefusedImports(t *testing.T) {
	options := &verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: &verdictv1.ImportOptions{}}}
	lines := &verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Chunk{Chunk: []byte(sample)}}
	tests := []struct {
		name     string
		messages []*verdictv1.ImportRequest
	}{
		{"nothing at all", nil},
		{"lines without options", []*verdictv1.ImportRequest{lines}},
		{"an empty message first", []*verdictv1.ImportRequest{{}, options}},
		{"options twice", []*verdictv1.ImportRequest{options, lines, options}},
	}
	_, conn := start(t, Options{})
	client := verdictv1.NewDirectoryServiceClient(conn)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stream, err := client.Import(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, message := range tt.messages {
				if err := stream.Send(message); err != nil {
					break // the status says why
				}
			}
			_, err = stream.CloseAndRecv()
			wantFields(t, err, "options")
		})
	}
	if lines, _, err := exportLines(t, client, &verdictv1.ExportRequest{}); err != nil || lines != "" {
		t.Errorf("something was imported: %q, %v", lines, err)
	}
	t.Run("an unknown tenant", func(t *testing.T) {
		_, err := importLines(t, client, &verdictv1.ImportOptions{Tenant: "red"}, sample, 1<<20)
		wantStatus(t, err, codes.NotFound)
	})
	t.Run("an export of an unknown tenant", func(t *testing.T) {
		_, _, err := exportLines(t, client, &verdictv1.ExportRequest{Tenant: "red"})
		wantStatus(t, err, codes.NotFound)
	})
}
