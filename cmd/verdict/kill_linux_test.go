package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// changingCalls are the calls of the system by which a command changes files.
var changingCalls = []string{
	"openat", "write", "pwrite64", "ftruncate", "fallocate", "rename", "renameat", "renameat2", "unlink", "unlinkat", "msync", "fsync", "fdatasync",
}

// mostCalls is how many of a kind are more than there can be.
const mostCalls = 1000

// TestBackupKilledAtEachCall kills a backup not at moments that chance chooses but at the
// calls by which it changes files: of each kind as a thread makes its first, then as one
// makes its second, until none makes as many. The backup is there as a whole or not at all,
// and the store as it was.
func TestBackupKilledAtEachCall(t *testing.T) {
	if testing.Short() {
		t.Skip("one process after another")
	}
	mayTrace(t)
	dir := t.TempDir()
	store, lines, whole, target := filepath.Join(dir, "store"), filepath.Join(dir, "lines.jsonl"), filepath.Join(dir, "whole.backup"), filepath.Join(dir, "target.backup")
	var users strings.Builder
	for i := range 200 {
		fmt.Fprintf(&users, "{\"entity\": {\"type\": \"user\", \"id\": \"%d\"}}\n", i)
	}
	write(t, lines, users.String())
	mustRun(t, "import", "--data", store, lines)
	mustRun(t, "backup", "--data", store, whole)
	want, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	backUp := func(kind string, call int) (killed bool) {
		defer os.Remove(target)
		command := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "trace="+kind, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", kind, call),
			"verdict", "backup", "--data", store, target)
		command.Env = append(os.Environ(), "GOMAXPROCS=1") // on few threads, so that each call has its turn
		text, err := command.CombinedOutput()
		got, unread := os.ReadFile(target)
		if unread == nil && !bytes.Equal(got, want) {
			t.Fatalf("killed at %s %d, a backup of %d bytes is there, expected %d", kind, call, len(got), len(want))
		}
		if command.ProcessState.Sys().(syscall.WaitStatus).Signaled() { // strace ends as what it traces
			kills++
			return true
		}
		if err != nil || unread != nil {
			t.Fatalf("after %d kills: %v, %v\n%s", kills, err, unread, text)
		}
		return false
	}
	for _, kind := range changingCalls {
		for call := 1; backUp(kind, call); call++ {
			if call == mostCalls {
				t.Fatalf("it makes more than %d calls of %s", call, kind)
			}
		}
	}
	if kills < 20 {
		t.Errorf("it was killed %d times: the test has shown little", kills)
	}
	t.Logf("it was killed %d times", kills)
}
