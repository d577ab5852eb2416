package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is acknowledged is on disk. That a killed process leaves it there shows little, for
// the system keeps what was written and not synced; so these tests look at the calls of the
// system that sync, by strace.

// mayTrace skips where strace is missing or not allowed.
func mayTrace(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	if text, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("a process cannot be traced here: %v: %s", err, text)
	}
}

// injectIntoSyncs has something done to a process's syncs, in strace's words, until it is
// told to restore them.
func injectIntoSyncs(t *testing.T, pid int, fault string) (restore func()) {
	t.Helper()
	const syncs = "msync,fsync,fdatasync"
	tracer := exec.Command("strace", "-f", "-p", strconv.Itoa(pid), "-o", os.DevNull, "-e", "trace="+syncs, "-e", "inject="+syncs+":"+fault)
	tracer.SysProcAttr = dyingWithTest()
	said, err := tracer.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(said)
	line, err := lines.ReadString('\n')
	if err != nil || !strings.Contains(line, "attached") {
		_ = tracer.Process.Kill()
		_ = tracer.Wait()
		t.Skipf("a running process cannot be traced here: %s", line)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, lines)
		_ = tracer.Wait()
	}()
	restore = func() {
		_ = tracer.Process.Signal(syscall.SIGTERM) // on which it leaves the process alone
		<-ended
	}
	t.Cleanup(restore)
	return restore
}

// TestWritesThatAreNotSynced has the disk of a server fail where it is to keep what was
// written: no such write is acknowledged, whichever way it comes. Whether it is there after
// a restart is the disk's to say.
func TestWritesThatAreNotSynced(t *testing.T) {
	mayTrace(t)
	imported := func(s *faultyServer) error {
		file := filepath.Join(s.dir, "import.jsonl")
		write(t, file, `{"entity": {"type": "user", "id": "olga"}}`+"\n")
		text, err := exec.Command("verdict", "import", "--server", unixPrefix+s.socket("grpc"), file).CombinedOutput()
		if err != nil {
			err = errors.New(string(text))
		}
		return err
	}
	for name, add := range map[string]func(*faultyServer) error{
		"a write":   func(s *faultyServer) error { return s.write("olga") },
		"an import": imported,
	} {
		t.Run(name, func(t *testing.T) {
			s := startFaulty(t, faultOptions{})
			s.mustWrite("mina")
			restore := injectIntoSyncs(t, s.process.Process.Pid, "error=EIO")
			if err := add(s); err == nil || !strings.Contains(err.Error(), "revision 2 could not be written: check the disk and restart") {
				t.Errorf("%s that is not synced: %v", name, err)
			}
			s.expectAllowed("mina", true)
			s.expectAllowed("olga", false)
			s.expect("/readyz", 200, "writes are refused")
			s.expect("/metrics", 200, "verdict_store_writable 0")
			restore()
			if err := s.write("paul"); err == nil {
				t.Error("a write after it is acknowledged, and the revision before is not on disk")
			}
			s.end(syscall.SIGTERM)
			again := startFaulty(t, faultOptions{dir: s.dir})
			again.expectAllowed("mina", true)
			again.mustWrite("paul")
			again.expectAllowed("paul", true)
		})
	}
}

// TestSlowDisk has each sync of a server's store take seconds: a write takes as long, and
// is not seen before, and decisions are made meanwhile.
func TestSlowDisk(t *testing.T) {
	mayTrace(t)
	const delay, meanwhile = 3 * time.Second, 20
	s := startFaulty(t, faultOptions{})
	s.mustWrite("mina")
	restore := injectIntoSyncs(t, s.process.Process.Pid, fmt.Sprintf("delay_enter=%d", delay.Microseconds()))
	start := time.Now()
	written := make(chan error, 1)
	go func() { written <- s.write("olga") }()
	decided := 0
	for ; len(written) == 0; decided++ {
		s.expectAllowed("mina", true)
		decision, err := s.check("olga")
		if len(written) == 0 && (err != nil || decision.Err != nil || decision.Allowed && time.Since(start) < delay) {
			t.Errorf("before the write is on disk: %v, %v, %v", decision.Allowed, decision.Err, err)
		}
	}
	if took := time.Since(start); took < delay {
		t.Errorf("the write is acknowledged after %v", took)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if decided < meanwhile {
		t.Errorf("%d decisions were made meanwhile, want %d at least", decided, meanwhile)
	}
	s.expectAllowed("olga", true)
	s.expect("/readyz", 200, "ready")
	s.expect("/metrics", 200, "verdict_store_writable 1")
	metrics, err := s.get("/metrics", 200)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(metrics, "\nverdict_store_commit_duration_seconds_sum ")
	text, _, _ := strings.Cut(after, "\n")
	if seconds, err := strconv.ParseFloat(text, 64); err != nil || seconds < delay.Seconds() {
		t.Errorf("commits have taken %q seconds, %v: want %v at least", text, err, delay.Seconds())
	}
	restore()
	s.mustWrite("paul")
	s.expectAllowed("paul", true)
}

// TestStoresThatAreMadeAreSynced makes stores by an import and by a restore. Neither says
// that it is done before every file, and every name, is on disk.
func TestStoresThatAreMadeAreSynced(t *testing.T) {
	mayTrace(t)
	dir := t.TempDir()
	lines, whole := filepath.Join(dir, "lines.jsonl"), filepath.Join(dir, "whole.backup")
	write(t, lines, `{"entity": {"type": "user", "id": "mina"}}`+"\n")
	mustRun(t, "import", "--data", filepath.Join(dir, "first"), lines)
	mustRun(t, "backup", "--data", filepath.Join(dir, "first"), whole)
	for name, args := range map[string][]string{
		"import":  {"import", "--data", "{store}", lines},
		"restore": {"restore", "--data", "{store}", whole},
	} {
		t.Run(name, func(t *testing.T) {
			above := filepath.Join(t.TempDir(), "new")
			store, trace := filepath.Join(above, "store"), filepath.Join(t.TempDir(), "trace")
			command := []string{"-f", "-y", "-o", trace, "-e", "trace=mmap,mremap,msync,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat,write", "verdict"}
			for _, arg := range args {
				command = append(command, strings.ReplaceAll(arg, "{store}", store))
			}
			if text, err := exec.Command("strace", command...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			synced := readSyncs(t, trace)
			files, err := os.ReadDir(store)
			if err != nil || len(files) < 3 {
				t.Fatalf("the store has %d files, %v", len(files), err)
			}
			for _, file := range files {
				// What was acknowledged may be found again from the others.
				if path := filepath.Join(store, file.Name()); file.Name() != "ACKNOWLEDGED" && !synced[path] {
					t.Errorf("%s is not synced", path)
				}
			}
			for _, path := range []string{store, above, filepath.Dir(above)} {
				if !synced[path] {
					t.Errorf("what was last made or renamed in %s is not synced", path)
				}
			}
		})
	}
}

// TestBackupsAreSynced makes a backup, which does not say that it is done before the file,
// and its name, are on disk.
func TestBackupsAreSynced(t *testing.T) {
	mayTrace(t)
	dir := t.TempDir()
	store, lines := filepath.Join(dir, "store"), filepath.Join(dir, "lines.jsonl")
	write(t, lines, `{"entity": {"type": "user", "id": "mina"}}`+"\n")
	mustRun(t, "import", "--data", store, lines)
	target, trace := filepath.Join(t.TempDir(), "target"), filepath.Join(dir, "trace")
	text, err := exec.Command("strace", "-f", "-y", "-o", trace, "-e", "trace=fsync,fdatasync,rename,renameat,renameat2,write",
		"verdict", "backup", "--data", store, target).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	synced := readSyncs(t, trace)
	for _, path := range []string{target, filepath.Dir(target)} {
		if !synced[path] {
			t.Errorf("%s is not synced", path)
		}
	}
}

var (
	tracedCall = regexp.MustCompile(`^(\d+) +(.*)$`)
	resumed    = regexp.MustCompile(`^<\.\.\. \w+ resumed>`)
	mapped     = regexp.MustCompile(`^mmap\(NULL, .*, \d+<(.*)>, 0\) += (0x\w+)$`)
	remapped   = regexp.MustCompile(`^mremap\((0x\w+), .*\) += (0x\w+)$`)
	syncedMap  = regexp.MustCompile(`^msync\((0x\w+), .*, MS_SYNC\) += 0$`)
	syncedFile = regexp.MustCompile(`^f(?:data)?sync\(\d+<(.*)>\) += 0$`)
	renamed    = regexp.MustCompile(`^rename\w*\(.*"(.*)", .*"(.*)"(?:, \w+)?\) += 0$`)
	made       = regexp.MustCompile(`^mkdir\w*\(.*"(.*)", \w+\) += 0$`)
)

// readSyncs reads from a trace which files had been synced when the process wrote to its
// standard output, and of which directories all names had been.
func readSyncs(t *testing.T, trace string) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	synced, maps, begun := map[string]bool{}, map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(text)) {
		call := tracedCall.FindStringSubmatch(strings.TrimSpace(line))
		if call == nil {
			t.Fatalf("strace says %q", line)
		}
		thread, said := call[1], call[2]
		if before, is := strings.CutSuffix(said, " <unfinished ...>"); is {
			begun[thread] = before
			continue
		}
		said = begun[thread] + resumed.ReplaceAllString(said, "")
		delete(begun, thread)
		if strings.HasPrefix(said, "write(1<") {
			return synced
		}
		if m := mapped.FindStringSubmatch(said); m != nil {
			maps[m[2]] = m[1]
		} else if m := remapped.FindStringSubmatch(said); m != nil {
			maps[m[2]] = maps[m[1]]
		} else if m := syncedMap.FindStringSubmatch(said); m != nil {
			synced[maps[m[1]]] = true
		} else if m := syncedFile.FindStringSubmatch(said); m != nil {
			synced[m[1]] = true
		} else if m := made.FindStringSubmatch(said); m != nil {
			delete(synced, filepath.Dir(m[1]))
		} else if m := renamed.FindStringSubmatch(said); m != nil {
			from, to := m[1], m[2]
			delete(synced, filepath.Dir(to))
			for path := range synced { // the file, or all that is in the directory
				if rest, is := strings.CutPrefix(path, from); is && (rest == "" || rest[0] == filepath.Separator) {
					delete(synced, path)
					synced[to+rest] = true
				}
			}
		}
	}
	t.Fatal("nothing was written to standard output")
	return nil
}
