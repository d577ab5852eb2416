package directory_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

const tenant = "workforce"

// newDirectory opens a directory in memory, or as the options say.
func newDirectory(t *testing.T, o directory.Options) *directory.Directory {
	t.Helper()
	if o.Tenants == nil {
		o.Tenants = []string{tenant}
	}
	d, err := directory.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// write writes lines of the import format as one batch.
func write(t *testing.T, d *directory.Directory, lines ...string) uint64 {
	t.Helper()
	revision, err := tryWrite(t, d, lines...)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func tryWrite(t *testing.T, d *directory.Directory, lines ...string) (uint64, error) {
	t.Helper()
	var batch authz.Batch
	for _, line := range lines {
		change, err := directory.ParseLine([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		batch.Changes = append(batch.Changes, change)
	}
	return d.Write(t.Context(), tenant, batch)
}

func latest(t *testing.T, d *directory.Directory) *directory.Snapshot {
	t.Helper()
	return snapshot(t, d, authz.Consistency{})
}

func snapshot(t *testing.T, d *directory.Directory, c authz.Consistency) *directory.Snapshot {
	t.Helper()
	s, err := d.Snapshot(t.Context(), tenant, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func export(t *testing.T, d *directory.Directory) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := d.Export(t.Context(), tenant, authz.Consistency{}, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func importText(t *testing.T, d *directory.Directory, text string, o directory.ImportOptions) (directory.ImportReport, error) {
	t.Helper()
	return d.Import(t.Context(), tenant, strings.NewReader(text), o)
}

// mustBeSound fails the test if a deep check finds damage.
func mustBeSound(t *testing.T, d *directory.Directory) {
	t.Helper()
	report, err := d.Check(t.Context(), tenant, directory.CheckOptions{Deep: true})
	if err != nil || len(report.Damage) > 0 {
		t.Fatalf("check: %v, %v", report.Damage, err)
	}
}

// A clock is a time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

func user(id string) authz.EntityRef { return authz.EntityRef{Type: "user", ID: id} }

func wantKind(t *testing.T, err error, kind authz.Kind, text string) {
	t.Helper()
	if authz.KindOf(err) != kind || err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %q of kind %s, expected kind %s and %q", err, authz.KindOf(err), kind, text)
	}
}
