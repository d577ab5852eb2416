package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/directory"
)

const (
	killTenant    = authz.DefaultTenant
	killWriters   = 4
	killBatchSize = 6 // entities in a batch
)

// kills is how often the server is killed: KILLS times, or a few.
func kills(t *testing.T) int {
	text := os.Getenv("KILLS")
	if text == "" {
		return 5
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("KILLS=%q: expected a number above zero", text)
	}
	return n
}

// TestKill kills the real server during writes. After each restart every
// acknowledged batch is there whole, no other is there in part, and what is
// derived agrees with the entities.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	policy := filepath.Join(dir, "policy")
	if err := os.Mkdir(policy, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(policy, "authz.rego"), "package authz\n\nallow if input.action.name == \"read\"\n")

	state := &killState{acknowledged: map[string]uint64{}}
	rounds := kills(t)
	checked := 0
	for round := range rounds {
		state.round(t, dir, round)
		if round == rounds-1 {
			checked = 0 // what the first rounds wrote has outlived all the others
		}
		state.verify(t, filepath.Join(dir, "store"), state.tried[checked:])
		checked = len(state.tried)
	}
	t.Logf("%d kills, %d batches tried, %d acknowledged", rounds, len(state.tried), len(state.acknowledged))
	if len(state.acknowledged) == 0 {
		t.Error("no batch was acknowledged: the test has shown nothing")
	}
}

// killState is what the writers know.
type killState struct {
	mu           sync.Mutex
	tried        []string
	acknowledged map[string]uint64 // batch → revision
}

// round starts a server, writes to it from several sides, and kills it.
func (s *killState) round(t *testing.T, dir string, round int) {
	t.Helper()
	socket := unixPrefix + filepath.Join(dir, "verdict.sock")
	server := exec.Command("verdict", "serve",
		"--bundle", filepath.Join(dir, "policy"), "--data", filepath.Join(dir, "store"),
		"--grpc", socket, "--http", unixPrefix+filepath.Join(dir, "http.sock"))
	server.Stderr = os.Stderr
	server.Env = append(os.Environ(), "VERDICT_LOG_LEVEL=warn")
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	awaitSocket(t, socket)
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	acknowledged := make(chan struct{})
	first := sync.OnceFunc(func() { close(acknowledged) })
	for writer := range killWriters {
		writers.Go(func() { s.write(t, ctx, socket, fmt.Sprintf("%d-%d", round, writer), first) })
	}
	select {
	case <-acknowledged:
	case <-time.After(time.Minute):
		t.Error("no write was acknowledged within a minute")
	}
	time.Sleep(rand.N(200 * time.Millisecond))
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	server.Wait()
	cancel()
	writers.Wait()
}

// write writes batches, one after the other, until the server is gone, and
// calls written after each that is acknowledged.
func (s *killState) write(t *testing.T, ctx context.Context, socket, name string, written func()) {
	r := remote{server: socket}
	conn, err := r.dial()
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	client := verdictv1.NewDirectoryServiceClient(conn)
	for n := 0; ; n++ {
		batch := fmt.Sprintf("%s-%d", name, n)
		s.mu.Lock()
		s.tried = append(s.tried, batch)
		s.mu.Unlock()
		response, err := client.Write(ctx, &verdictv1.WriteRequest{Changes: killBatch(batch)})
		if err != nil {
			return
		}
		s.mu.Lock()
		s.acknowledged[batch] = response.GetRevision()
		s.mu.Unlock()
		written()
	}
}

// awaitSocket waits until a server listens. A client that dials before would
// back off, for longer and longer.
func awaitSocket(t *testing.T, address string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", strings.TrimPrefix(address, unixPrefix))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no server within a minute: %v", err)
		}
	}
}

// killBatch is a batch whose entities hang together: members below a team that
// is new, and a grant to the team.
func killBatch(batch string) []*verdictv1.Change {
	team := "team:" + batch
	changes := []*verdictv1.Change{
		{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{Type: "team", Id: batch, Parents: []string{"department:all"}}}},
		{Change: &verdictv1.Change_PutGrant{PutGrant: &verdictv1.Grant{Id: batch, Subject: team, Role: "role:member", Scope: team}}},
	}
	for i := range killBatchSize - 1 {
		changes = append(changes, &verdictv1.Change{Change: &verdictv1.Change_PutEntity{PutEntity: &verdictv1.Entity{
			Type: "user", Id: fmt.Sprintf("%s-%d", batch, i), Parents: []string{team},
			AttributesJson: fmt.Sprintf(`{"batch":%q,"number":%d}`, batch, i),
		}}})
	}
	return changes
}

// verify opens what the killed server left behind and looks for batches in it.
func (s *killState) verify(t *testing.T, store string, batches []string) {
	t.Helper()
	d, err := directory.Open(directory.Options{Dir: store, Tenants: []string{killTenant}, Retention: time.Hour, Clock: time.Now, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	snapshot, err := d.Snapshot(t.Context(), killTenant, authz.Consistency{})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	for _, batch := range batches {
		refs := []authz.EntityRef{{Type: "team", ID: batch}}
		for i := range killBatchSize - 1 {
			refs = append(refs, authz.EntityRef{Type: "user", ID: fmt.Sprintf("%s-%d", batch, i)})
		}
		found := 0
		for _, ref := range refs {
			_, known, err := snapshot.Entity(ref)
			if err != nil {
				t.Fatal(err)
			}
			if known {
				found++
			}
		}
		grants, err := snapshot.GrantsOf(refs[0])
		if err != nil {
			t.Fatal(err)
		}
		revision, acknowledged := s.acknowledged[batch]
		switch {
		case acknowledged && (found != killBatchSize || len(grants) != 1):
			t.Errorf("batch %s was acknowledged at revision %d: %d of %d entities and %d of 1 grants are there", batch, revision, found, killBatchSize, len(grants))
		case found != 0 && (found != killBatchSize || len(grants) != 1):
			t.Errorf("batch %s is half there: %d of %d entities and %d of 1 grants", batch, found, killBatchSize, len(grants))
		}
	}
	checkDirectory(t, d)
}

// checkDirectory holds that what is derived agrees with the records.
func checkDirectory(t *testing.T, d *directory.Directory) {
	t.Helper()
	report, err := d.Check(t.Context(), killTenant, directory.CheckOptions{Deep: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range report.Damage {
		t.Error(damage)
	}
}
