package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A killedStore is one that is large enough for a backup and a restore of it to be
// killed on their way.
type killedStore struct {
	dir          string
	first, whole string // backups: of the beginning, and of all
}

func newKilledStore(t *testing.T) killedStore {
	t.Helper()
	dir := t.TempDir()
	s := killedStore{dir: filepath.Join(dir, "store"), first: filepath.Join(dir, "first.backup"), whole: filepath.Join(dir, "whole.backup")}
	for part, backup := range []string{s.first, s.whole} {
		var lines strings.Builder
		for i := range 20_000 {
			fmt.Fprintf(&lines, "{\"entity\": {\"type\": \"user\", \"id\": \"%d-%d\", \"attributes\": {\"text\": %q}}}\n", part, i, strings.Repeat("x", 200))
		}
		write(t, filepath.Join(dir, "lines.jsonl"), lines.String())
		mustRun(t, "import", "--data", s.dir, filepath.Join(dir, "lines.jsonl"))
		mustRun(t, "backup", "--data", s.dir, backup)
	}
	return s
}

// mustRun runs the real binary to its end.
func mustRun(t *testing.T, args ...string) {
	t.Helper()
	if output, err := exec.Command("verdict", args...).CombinedOutput(); err != nil {
		t.Fatalf("verdict %s: %v\n%s", strings.Join(args, " "), err, output)
	}
}

// runKilled runs the real binary and kills it after a time, if it has not come to
// its end.
func runKilled(t *testing.T, after time.Duration, args ...string) (ended bool) {
	t.Helper()
	command := exec.Command("verdict", args...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(after, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	return command.Wait() == nil
}

// killMoments are moments at which a command is killed: spread over the time that it
// takes, as measured once.
func killMoments(t *testing.T, run func()) []time.Duration {
	start := time.Now()
	run()
	took := time.Since(start)
	moments := make([]time.Duration, (kills(t)+1)/2)
	for i := range moments {
		moments[i] = took*time.Duration(i)/time.Duration(len(moments)) + rand.N(took/time.Duration(len(moments))+1)
	}
	return moments
}

// TestKillBackup kills backups. The file is there when it is whole, and not before;
// what went to standard output is refused; and the store is as it was.
func TestKillBackup(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another")
	}
	s := newKilledStore(t)
	dir := t.TempDir()
	target := filepath.Join(dir, "killed.backup")
	moments := killMoments(t, func() { mustRun(t, "backup", "--data", s.dir, filepath.Join(dir, "other.backup")) })
	want, err := os.ReadFile(s.whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, moment := range moments {
		ended := runKilled(t, moment, "backup", "--data", s.dir, target)
		got, err := os.ReadFile(target)
		switch {
		case err == nil && !bytes.Equal(got, want):
			t.Fatalf("killed after %s, a backup of %d bytes is there, expected %d", moment, len(got), len(want))
		case err != nil && ended:
			t.Fatal(err)
		}
		os.Remove(target)
	}
	mustRun(t, "backup", "--data", s.dir, target)
	if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, want) {
		t.Errorf("afterwards the backup has %d bytes, %v: expected %d", len(got), err, len(want))
	}
	cut := filepath.Join(dir, "cut.backup")
	write(t, cut, string(want[:len(want)/2]))
	output, err := exec.Command("verdict", "restore", "--check", cut).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "it was cut off") {
		t.Errorf("half of a backup: %v\n%s", err, output)
	}
}

// TestServerKilledDuringABackup kills a server when a part of a backup has come: the client
// says so, what has come is refused, and the server's store is as it was.
func TestServerKilledDuringABackup(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another")
	}
	s := startFaulty(t, faultOptions{})
	lines := filepath.Join(s.dir, "lines.jsonl")
	var large strings.Builder
	for i := range 1000 { // of text that is not compressed to nothing
		fmt.Fprintf(&large, `{"entity": {"type": "user", "id": "%d", "attributes": {"text": "`, i)
		for range 1000 {
			fmt.Fprintf(&large, "%016x", rand.Uint64())
		}
		large.WriteString("\"}}}\n")
	}
	write(t, lines, large.String())
	mustRun(t, "import", "--server", unixPrefix+s.socket("grpc"), lines)
	s.mustWrite("mina")

	// What nobody reads fills the pipe, and so holds up the backup in its middle.
	client := exec.Command("verdict", "backup", "--server", unixPrefix+s.socket("grpc"), "-")
	var said bytes.Buffer
	client.Stderr = &said
	output, err := client.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, 32<<10)
	if _, err := io.ReadFull(output, begun); err != nil {
		t.Fatal(err)
	}
	s.end(syscall.SIGKILL)
	rest, err := io.ReadAll(output)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Wait(); err == nil || client.ProcessState.ExitCode() != exitError {
		t.Errorf("the client of a server that was killed ended with %v: %s", err, said.String())
	}
	cut := filepath.Join(s.dir, "cut.backup")
	write(t, cut, string(begun)+string(rest))
	if text, err := exec.Command("verdict", "restore", "--check", cut).CombinedOutput(); err == nil || !strings.Contains(string(text), "it was cut off") {
		t.Errorf("what came of it is %d bytes: %v\n%s", len(begun)+len(rest), err, text)
	}

	again := startFaulty(t, faultOptions{dir: s.dir})
	again.expectAllowed("mina", true)
	after := filepath.Join(s.dir, "after.backup")
	mustRun(t, "backup", "--server", unixPrefix+again.socket("grpc"), after)
	mustRun(t, "restore", "--check", after)
}

// TestKillRestore kills restores, into nothing and over a store. What is there
// afterwards is what was, or all of the backup, and can be restored over.
func TestKillRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another")
	}
	s := newKilledStore(t)
	dir := t.TempDir()
	second := filepath.Join(dir, "second.backup")
	mustRun(t, "backup", "--data", s.dir, "--since", s.first, second)
	contents := map[string]string{}
	for _, name := range []string{s.first, s.whole} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		contents[string(text)] = name
	}
	n := 0
	place := func() string {
		n++
		return filepath.Join(dir, fmt.Sprint(n))
	}
	holds := func(store string) string {
		t.Helper()
		held := filepath.Join(dir, "held.backup")
		mustRun(t, "backup", "--data", store, held)
		text, err := os.ReadFile(held)
		if err != nil {
			t.Fatal(err)
		}
		return contents[string(text)]
	}
	tests := []struct {
		name   string
		before string // what is restored first, if anything
		backup string
	}{
		{"into nothing", "", s.whole},
		{"over a store", s.first, second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			prepare := func() string {
				store := place()
				if test.before != "" {
					mustRun(t, "restore", "--data", store, test.before)
				}
				return store
			}
			measured := prepare()
			for _, moment := range killMoments(t, func() { mustRun(t, "restore", "--data", measured, test.backup) }) {
				store := prepare()
				runKilled(t, moment, "restore", "--data", store, test.backup)
				if test.before != "" {
					if held := holds(store); held != test.before && held != s.whole {
						t.Fatalf("killed after %s, the store holds what %q does", moment, held)
					}
				}
				// What was restored is refused, and anything else is gone on from.
				_ = exec.Command("verdict", "restore", "--data", store, test.backup).Run()
				if held := holds(store); held != s.whole {
					t.Fatalf("killed after %s and restored again, the store holds what %q does, expected %q", moment, held, s.whole)
				}
				os.RemoveAll(store)
			}
		})
	}
}
