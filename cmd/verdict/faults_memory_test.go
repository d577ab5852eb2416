//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// limitedMemory runs a server in a control group of its own, of either kind, and skips
// where none can be made.
func limitedMemory(t *testing.T, bytes int) []string {
	t.Helper()
	var failed error
	for _, kind := range []struct{ root, limit string }{
		{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"},
	} {
		group := filepath.Join(kind.root, fmt.Sprint("verdict-test-", os.Getpid()))
		err := os.Mkdir(group, 0o700)
		if err == nil {
			t.Cleanup(func() { _ = os.Remove(group) }) // once the server has ended
			err = os.WriteFile(filepath.Join(group, kind.limit), fmt.Append(nil, bytes), 0)
		}
		if err == nil {
			return []string{"sh", "-ec", `echo $$ > "$0/cgroup.procs"; exec "$@"`, group}
		}
		failed = errors.Join(failed, err)
	}
	t.Skipf("memory cannot be limited here: %v", failed)
	return nil
}

// TestLittleMemory has a server with less memory than its defaults ask for take an
// import that is as large, and read all of it.
func TestLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes some 100 MB")
	}
	const users, limit = 60_000, 96 << 20
	s := startFaulty(t, faultOptions{within: limitedMemory(t, limit)})
	if log := s.log.String(); !strings.Contains(log, `"directory.cache is lowered`) {
		t.Errorf("the log does not say that the cache is lowered:\n%s", log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	imported, err := s.changes.Import(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = imported.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Options{Options: &verdictv1.ImportOptions{}}})
	var lines []byte
	for user := 0; err == nil && user < users; user++ {
		lines = fmt.Appendf(lines, `{"entity": {"type": "user", "id": "u%d", "attributes": {"note": "%0900d"}}}`+"\n", user, user)
		if len(lines) > 100<<10 || user == users-1 {
			err = imported.Send(&verdictv1.ImportRequest{Part: &verdictv1.ImportRequest_Chunk{Chunk: lines}})
			lines = nil
		}
	}
	if _, received := imported.CloseAndRecv(); received != nil {
		t.Fatalf("the import: %v, %v", err, received)
	}
	batch := &verdictv1.BatchCheckAccessRequest{Action: &verdictv1.Action{Name: "read"}, Resource: &verdictv1.Resource{Type: "document", Id: "plan"}}
	decide := verdictv1.NewAccessServiceClient(s.checks.Conn())
	allowed := 0
	for user := range users {
		batch.Items = append(batch.Items, &verdictv1.BatchCheckAccessItem{Subject: &verdictv1.Subject{Type: "user", Id: fmt.Sprint("u", user)}})
		if len(batch.Items) < 500 {
			continue
		}
		response, err := decide.BatchCheckAccess(ctx, batch)
		if err != nil {
			t.Fatal(err)
		}
		for _, decision := range response.GetResponses() {
			if decision.GetAllowed() {
				allowed++
			}
		}
		batch.Items = nil
	}
	if allowed != users {
		t.Errorf("%d of %d users are allowed", allowed, users)
	}
}
