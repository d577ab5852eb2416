package directory_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

var kills = flag.Int("kills", killsFromEnv(), "how often the kill test kills a writer; KILLS sets the default")

func killsFromEnv() int {
	if n, err := strconv.Atoi(os.Getenv("KILLS")); err == nil {
		return n
	}
	return 10
}

// writerVariable makes the test binary a writer to the directory it names.
const writerVariable = "VERDICT_TEST_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerVariable); dir != "" {
		if err := writeUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// Writers and batches of the kill test. Batch number n of writer w replaces
// what its batch n-1 wrote: batchUsers users under a group of their own, each
// with a grant, all of which say n.
const (
	writers    = 4
	batchUsers = 20
)

// writeUntilKilled writes batches with several writers at once, and prints
// "writer number" for each that was acknowledged.
func writeUntilKilled(dir string) error {
	d, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}, Retention: time.Hour})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	errs := make(chan error, writers)
	for w := range writers {
		wait.Go(func() {
			s, err := d.Snapshot(context.Background(), tenant, authz.Consistency{})
			if err != nil {
				errs <- err
				return
			}
			last, err := numberOf(s, w)
			s.Close()
			if err != nil {
				errs <- err
				return
			}
			for number := last + 1; ; number++ {
				if _, err := d.Write(context.Background(), tenant, numberedBatch(w, number)); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println(w, number)
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	return <-errs
}

func numberedBatch(writer, number int) authz.Batch {
	var batch authz.Batch
	group := authz.EntityRef{Type: "group", ID: fmt.Sprint(writer)}
	batch.Changes = append(batch.Changes, authz.Change{PutEntity: &authz.Entity{Ref: group, Attributes: fmt.Appendf(nil, `{"n":%d}`, number)}})
	for i := range batchUsers {
		ref := user(fmt.Sprintf("%d-%d", writer, i))
		if number%5 == 0 && i%2 == 0 { // sometimes some are gone, grants and all
			batch.Changes = append(batch.Changes, authz.Change{DeleteEntity: &ref})
			continue
		}
		batch.Changes = append(batch.Changes,
			authz.Change{PutEntity: &authz.Entity{Ref: ref, Attributes: fmt.Appendf(nil, `{"n":%d,"of":"batch:%d"}`, number, number), Parents: []authz.EntityRef{group}}},
			authz.Change{PutGrant: &authz.Grant{ID: ref.ID, Subject: ref, Role: authz.EntityRef{Type: "role", ID: "r"}, Reason: fmt.Sprint(number)}},
		)
	}
	return batch
}

// numberOf is the number of a writer's last batch, of which all must be there
// and nothing else.
func numberOf(s *directory.Snapshot, writer int) (int, error) {
	group, known, err := s.Entity(authz.EntityRef{Type: "group", ID: fmt.Sprint(writer)})
	if err != nil || !known {
		return 0, err
	}
	var number int
	if _, err := fmt.Sscanf(string(group.Attributes), `{"n":%d}`, &number); err != nil {
		return 0, err
	}
	for _, c := range numberedBatch(writer, number).Changes {
		switch {
		case c.PutEntity != nil:
			e, _, err := s.Entity(c.PutEntity.Ref)
			if err != nil || string(e.Attributes) != string(c.PutEntity.Attributes) {
				return 0, fmt.Errorf("%s is %q (%w): the group is at batch %d", c.PutEntity.Ref, e.Attributes, err, number)
			}
		case c.PutGrant != nil:
			grants, err := s.GrantsOf(c.PutGrant.Subject)
			if err != nil || len(grants) != 1 || grants[0].Reason != c.PutGrant.Reason {
				return 0, fmt.Errorf("the grants of %s are %v (%w): the group is at batch %d", c.PutGrant.Subject, grants, err, number)
			}
		case c.DeleteEntity != nil:
			grants, err := s.GrantsOf(*c.DeleteEntity)
			_, known, err2 := s.Entity(*c.DeleteEntity)
			if err := errors.Join(err, err2); err != nil || known || len(grants) > 0 {
				return 0, fmt.Errorf("%s is there (%w): the group is at batch %d", *c.DeleteEntity, err, number)
			}
		}
	}
	return number, nil
}

// TestKill kills a process that writes, again and again, and looks at what it
// left: every acknowledged batch, no part of one, and indexes, reverse edges
// and change records that agree with the entities.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := range *kills {
		acknowledged := writeAndKill(t, program, dir)
		d, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}, Retention: time.Hour})
		if err != nil {
			t.Fatalf("opening after kill %d: %v", round, err)
		}
		s, err := d.Snapshot(t.Context(), tenant, authz.Consistency{})
		if err != nil {
			t.Fatal(err)
		}
		for writer, number := range acknowledged {
			stored, err := numberOf(s, writer)
			if err != nil {
				t.Errorf("kill %d: %v", round, err)
			}
			if stored < number {
				t.Errorf("kill %d: writer %d is at batch %d, and %d was acknowledged", round, writer, stored, number)
			}
		}
		s.Close()
		mustBeSound(t, d)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
	}
}

// writeAndKill runs a writer and kills it some time after its first
// acknowledgement. It returns the last batch that each writer acknowledged.
func writeAndKill(t *testing.T, program, dir string) map[int]int {
	t.Helper()
	writer := exec.Command(program)
	writer.Env = append(os.Environ(), writerVariable+"="+dir)
	var stderr strings.Builder
	writer.Stderr = &stderr
	stdout, err := writer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := make(map[int]int)
	lines := bufio.NewReader(stdout)
	for first := true; ; first = false {
		line, err := lines.ReadString('\n')
		if err != nil { // a last line without its end was not printed whole
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			break
		}
		var w, number int
		if _, err := fmt.Sscan(line, &w, &number); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		acknowledged[w] = number
		if first {
			time.AfterFunc(rand.N(60*time.Millisecond), func() { _ = writer.Process.Kill() })
		}
	}
	_ = writer.Wait() // its error is that it was killed
	if len(acknowledged) == 0 || writer.ProcessState.Exited() {
		t.Fatalf("the writer ended by itself: %s", &stderr)
	}
	return acknowledged
}
