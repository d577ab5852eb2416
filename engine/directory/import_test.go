package directory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// small is a directory in canonical form.
const small = `{"entity":{"type":"department","id":"clinical"}}
{"entity":{"type":"department","id":"icu","parents":["department:clinical"]}}
{"entity":{"type":"role","id":"nurse","attributes":{"permissions":["patient_record:read"]}}}
{"entity":{"type":"user","id":"\u0000"}}
{"entity":{"type":"user","id":"mina","attributes":{"n":1.0},"parents":["group:night","department:icu"]}}
{"grant":{"id":"g1","subject":"user:mina","role":"role:nurse","scope":"department:icu","not_before":"2026-01-01T00:00:00Z","not_after":"2026-07-01T00:00:00.000000001Z","reason":"ward rota"}}
{"grant":{"id":"g2","subject":"tenant:workforce","role":"role:nurse"}}
`

func TestExportImportExport(t *testing.T) {
	first := newDirectory(t, directory.Options{})
	report, err := importText(t, first, small, directory.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(directory.ImportReport{Lines: 7, Applied: 7, Revision: 1}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	exported := export(t, first)
	if diff := cmp.Diff(small, exported); diff != "" {
		t.Errorf("export (-want +got):\n%s", diff)
	}
	second := newDirectory(t, directory.Options{})
	if _, err := importText(t, second, exported, directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exported, export(t, second)); diff != "" {
		t.Errorf("second export (-want +got):\n%s", diff)
	}
	again, err := importText(t, second, exported, directory.ImportOptions{})
	if diff := cmp.Diff(directory.ImportReport{Lines: 7, Unchanged: 7, Revision: 1}, again); diff != "" || err != nil {
		t.Errorf("report of a second run, %v (-want +got):\n%s", err, diff)
	}
	mustBeSound(t, second)
}

func TestImportTakesWhatEditorsWrite(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	text := "\ufeff\r\n" + strings.ReplaceAll(small, "\n", "\r\n\r\n \t\r\n") + `{"delete":{"grant":"g2"}}`
	report, err := importText(t, d, text, directory.ImportOptions{})
	if err != nil || report.Lines != 8 {
		t.Errorf("report %+v, %v", report, err)
	}
}

// bad are lines of which some are refused.
const bad = `{"entity":{"type":"group","id":"a","parents":["group:b"]}}
not json

{"entity":{"type":"group","id":"b","parents":["group:a"]}}
{"entity":{"type":"user","id":"mina"}}
{"grant":{"id":"g","subject":"tenant:other","role":"role:r"}}
{"entity":{"type":"group","id":"c","parents":["group:b"]}}
`

var badLines = []directory.LineError{
	{Line: 2, Message: "malformed JSON: invalid character 'o' in literal null (expecting 'u')"},
	{Line: 4, Message: "parents close a cycle: group:b → group:a → group:b"},
	{Line: 6, Message: `grant.subject: "tenant:other" is another tenant: here only tenant:workforce can be named`},
}

// malformed are those that are wrong by themselves.
var malformed = []directory.LineError{badLines[0], badLines[2]}

func TestImportOfBadLines(t *testing.T) {
	tests := []struct {
		name    string
		options directory.ImportOptions
		want    directory.ImportReport
		refused bool
		left    string
	}{
		{"stops", directory.ImportOptions{}, directory.ImportReport{Lines: 6, Refused: 2, Errors: malformed}, true, ""},
		{"validates", directory.ImportOptions{ValidateOnly: true}, directory.ImportReport{Lines: 6, Refused: 3, Errors: badLines}, false, ""},
		{"keeps going", directory.ImportOptions{KeepGoing: true}, directory.ImportReport{Lines: 6, Applied: 3, Refused: 3, Revision: 1, Errors: badLines}, false,
			`{"entity":{"type":"group","id":"a","parents":["group:b"]}}
{"entity":{"type":"group","id":"c","parents":["group:b"]}}
{"entity":{"type":"user","id":"mina"}}
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := newDirectory(t, directory.Options{})
			report, err := importText(t, d, bad, test.options)
			if (err != nil) != test.refused || err != nil && authz.KindOf(err) != authz.Invalid {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(test.want, report); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.left, export(t, d)); diff != "" {
				t.Errorf("export (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImportSaysWhatItLeft(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	_, err := importText(t, d, bad, directory.ImportOptions{})
	wantKind(t, err, authz.Invalid, "nothing is imported, since lines are refused: line 2: malformed JSON")
	good := strings.Repeat(`{"entity":{"type":"user","id":"mina"}}`+"\n", authz.MaxBatchChanges)
	_, err = importText(t, d, good+bad, directory.ImportOptions{})
	wantKind(t, err, authz.Invalid, "the import has stopped after 10000 lines, since others are refused: line 10002: malformed JSON")
	deep := `{"entity":{"type":"user","id":"mina","attributes":` + strings.Repeat(`{"name":`, 20_000)
	_, err = importText(t, d, deep, directory.ImportOptions{})
	if wantKind(t, err, authz.Invalid, "exceeded max depth at /entity/attributes/name/name"); len(err.Error()) > 600 {
		t.Errorf("an error of %d bytes: %s", len(err.Error()), err)
	}
}

func TestImportStopsAtACycle(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	write(t, d, `{"entity":{"type":"group","id":"a","parents":["group:b"]}}`)
	report, err := importText(t, d, `{"entity":{"type":"user","id":"mina"}}`+"\n"+`{"entity":{"type":"group","id":"b","parents":["group:a"]}}`, directory.ImportOptions{})
	wantKind(t, err, authz.Invalid, "line 2: parents close a cycle: group:b → group:a → group:b")
	if report.Applied != 0 || report.Refused != 1 {
		t.Errorf("report %+v", report)
	}
}

// TestImportRehearsal has the cycle span batches, with an edge in the store,
// one that a batch before brings, and one that it takes away.
func TestImportRehearsal(t *testing.T) {
	var text strings.Builder
	text.WriteString(`{"entity":{"type":"group","id":"b","parents":["group:c"]}}` + "\n")
	text.WriteString(`{"delete":{"entity":"group:gone"}}` + "\n")
	for i := range authz.MaxBatchChanges {
		fmt.Fprintf(&text, `{"entity":{"type":"user","id":"%d","parents":["group:a"]}}`+"\n", i)
	}
	text.WriteString(`{"entity":{"type":"group","id":"c","parents":["group:a"]}}` + "\n")
	text.WriteString(`{"entity":{"type":"group","id":"d","parents":["group:gone"]}}` + "\n")
	for _, options := range []directory.ImportOptions{{ValidateOnly: true}, {KeepGoing: true}} {
		d := newDirectory(t, directory.Options{})
		write(t, d, `{"entity":{"type":"group","id":"a","parents":["group:b"]}}`, `{"entity":{"type":"group","id":"gone","parents":["group:d"]}}`)
		report, err := importText(t, d, text.String(), options)
		want := []directory.LineError{{Line: authz.MaxBatchChanges + 3, Message: "parents close a cycle: group:c → group:a → group:b → group:c"}}
		if diff := cmp.Diff(want, report.Errors); diff != "" || err != nil {
			t.Errorf("%+v: refused lines, %v (-want +got):\n%s", options, err, diff)
		}
		mustBeSound(t, d)
	}
}

// TestLargestEntityIsALine holds that what can be written can be exported and
// imported, be each byte of it one that takes six in a line.
func TestLargestEntityIsALine(t *testing.T) {
	e := authz.Entity{Ref: user(strings.Repeat("\x00", authz.MaxIDBytes))}
	for i := range authz.MaxParents {
		e.Parents = append(e.Parents, authz.EntityRef{
			Type: strings.Repeat("g", authz.MaxTypeBytes), ID: strings.Repeat("\x00", authz.MaxIDBytes-4) + fmt.Sprintf("%04d", i),
		})
	}
	e.Attributes = []byte(`{"a":"` + strings.Repeat("x", authz.MaxAttributeBytes-len(`{"a":""}`)) + `"}`)
	first := newDirectory(t, directory.Options{})
	if _, err := first.Write(t.Context(), tenant, authz.Batch{Changes: []authz.Change{{PutEntity: &e}}}); err != nil {
		t.Fatal(err)
	}
	exported := export(t, first)
	second := newDirectory(t, directory.Options{})
	if _, err := importText(t, second, exported, directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if again := export(t, second); again != exported {
		t.Errorf("an export of %d bytes comes back as %d bytes", len(exported), len(again))
	}
}

func TestImportBoundsLines(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	line := `{"entity":{"type":"user","id":"mina"}}`
	padded := func(size int) string { return line + strings.Repeat(" ", size-len(line)) }
	text := padded(directory.MaxLineBytes) + "\n" + padded(directory.MaxLineBytes+100) + "\n" + line
	report, err := importText(t, d, text, directory.ImportOptions{KeepGoing: true})
	if err != nil {
		t.Fatal(err)
	}
	want := directory.ImportReport{Lines: 3, Applied: 1, Unchanged: 1, Refused: 1, Revision: 1,
		Errors: []directory.LineError{{Line: 2, Message: "the line is too long: at most 4194304 bytes are allowed"}}}
	if diff := cmp.Diff(want, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// TestImportSplitsLargeBatches has lines that come to more than one commit
// takes as indexes, though they are short.
func TestImportSplitsLargeBatches(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	d := newDirectory(t, directory.Options{})
	var parents []string
	for i := range authz.MaxParents {
		parents = append(parents, fmt.Sprintf("%q", fmt.Sprint("g:", i)))
	}
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, `{"entity":{"type":"user","id":"%d","parents":[%s]}}`+"\n", i, strings.Join(parents, ","))
	}
	report, err := importText(t, d, text.String(), directory.ImportOptions{})
	if err != nil || report.Applied != 300 || report.Revision < 2 {
		t.Errorf("report %+v, %v", report, err)
	}
	if report, err := d.Check(t.Context(), tenant, directory.CheckOptions{}); err != nil || len(report.DanglingParents) != directory.MaxFindings {
		t.Errorf("%d dangling parents, %v", len(report.DanglingParents), err)
	}
}

func TestImportReportsAreBounded(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	report, err := importText(t, d, strings.Repeat("bad\n", directory.MaxImportErrors+1), directory.ImportOptions{KeepGoing: true})
	if err != nil || report.Refused != directory.MaxImportErrors+1 || len(report.Errors) != directory.MaxImportErrors {
		t.Errorf("%d refused, %d named, %v", report.Refused, len(report.Errors), err)
	}
}

func TestImportReturnsOtherErrors(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	broken := errors.New("cable")
	r := io.MultiReader(strings.NewReader(small), iotest.ErrReader(broken))
	if _, err := d.Import(t.Context(), tenant, r, directory.ImportOptions{}); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := d.Import(ctx, tenant, strings.NewReader(small), directory.ImportOptions{})
	wantKind(t, err, authz.Canceled, "")
	_, err = d.Import(t.Context(), "nobody", strings.NewReader(small), directory.ImportOptions{})
	wantKind(t, err, authz.NotFound, `unknown tenant "nobody"`)
	if got := export(t, d); got != "" {
		t.Errorf("something was imported: %s", got)
	}
}

func TestLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	// Later lines count, deletions take grants, a grant put again stays.
	text := `{"entity":{"type":"user","id":"gone"}}
{"entity":{"type":"user","id":"mina","parents":["group:none"]}}
{"grant":{"id":"g3","subject":"user:gone","role":"role:nurse"}}
{"grant":{"id":"g4","subject":"user:gone","role":"role:nurse"}}
{"delete":{"entity":"user:gone"}}
{"delete":{"grant":"g9"}}
` + small + `{"grant":{"id":"g4","subject":"user:gone","role":"role:nurse"}}
`
	report, err := directory.Load(t.Context(), dir, tenant, strings.NewReader(text), directory.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(directory.ImportReport{Lines: 14, Applied: 14, Revision: 1}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	loaded := newDirectory(t, directory.Options{Dir: dir})
	imported := newDirectory(t, directory.Options{})
	if _, err := importText(t, imported, text, directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(export(t, imported), export(t, loaded)); diff != "" {
		t.Errorf("a load comes to another state than an import (-import +load):\n%s", diff)
	}
	mustBeSound(t, loaded)
	err = loaded.Watch(t.Context(), tenant, 0, func(directory.ChangeRecord) error { return nil })
	wantKind(t, err, authz.FailedPrecondition, "keeps revisions 1 to 1")
	if revision := write(t, loaded, `{"entity":{"type":"user","id":"olga"}}`); revision != 2 {
		t.Errorf("the revision after a load is %d", revision)
	}
	mustBeSound(t, loaded)
}

func TestLoadIsAllOrNothing(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	load := func(text string, o directory.LoadOptions) (directory.ImportReport, error) {
		return directory.Load(t.Context(), dir, tenant, strings.NewReader(text), o)
	}
	report, err := load(bad, directory.LoadOptions{})
	wantKind(t, err, authz.Invalid, "nothing is loaded, since lines are refused, 3 in all: line 2: malformed JSON")
	if diff := cmp.Diff(badLines, report.Errors); diff != "" {
		t.Errorf("refused lines (-want +got):\n%s", diff)
	}
	var cycles strings.Builder
	for i := range 3 {
		fmt.Fprintf(&cycles, `{"entity":{"type":"group","id":"a%d","parents":["group:b%[1]d"]}}`+"\n", i)
		fmt.Fprintf(&cycles, `{"entity":{"type":"group","id":"b%d","parents":["group:a%[1]d"]}}`+"\n", i)
	}
	report, err = load(cycles.String(), directory.LoadOptions{})
	wantKind(t, err, authz.Invalid, "since lines are refused, 3 in all: line 2: parents close a cycle: group:b0 → group:a0 → group:b0; line 4:")
	_, loneErr := load("not json", directory.LoadOptions{})
	wantKind(t, loneErr, authz.Invalid, "nothing is loaded, since lines are refused, 1 in all: line 1: malformed JSON")
	if report.Refused != 3 {
		t.Errorf("%d lines are refused: expected one of each cycle", report.Refused)
	}
	if left, err := filepath.Glob(filepath.Join(parent, "*")); err != nil || len(left) > 0 {
		t.Errorf("a refused load left %v, %v", left, err)
	}

	// A store that was never written to is replaced; another is not.
	empty, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}})
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := load(small, directory.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = load(small, directory.LoadOptions{})
	wantKind(t, err, authz.FailedPrecondition, "choose another directory, or move this store away")
	_, err = directory.Load(t.Context(), parent, tenant, strings.NewReader(small), directory.LoadOptions{})
	wantKind(t, err, authz.FailedPrecondition, "holds no store, but ")
	if left, err := filepath.Glob(filepath.Join(parent, "*")); err != nil || len(left) != 1 {
		t.Errorf("loads left %v, %v", left, err)
	}
}

// TestManyCyclesTakeALoadLittleLonger compares two loads of as many lines, one
// of which close cycles in pairs.
func TestManyCyclesTakeALoadLittleLonger(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	const pairs = 5_000
	load := func(second string) (directory.ImportReport, time.Duration) {
		var text strings.Builder
		for i := range pairs {
			fmt.Fprintf(&text, `{"entity":{"type":"group","id":"a%d","parents":["group:b%[1]d"]}}`+"\n", i)
			fmt.Fprintf(&text, `{"entity":{"type":"group","id":"b%d","parents":["%s%[1]d"]}}`+"\n", i, second)
		}
		began := time.Now()
		report, err := directory.Load(t.Context(), filepath.Join(t.TempDir(), "store"), tenant, strings.NewReader(text.String()), directory.LoadOptions{})
		if (err != nil) != (report.Refused > 0) {
			t.Errorf("%d lines are refused, with the error %v", report.Refused, err)
		}
		return report, time.Since(began)
	}
	good, takes := load("group:c")
	bad, longer := load("group:a")
	if good.Refused != 0 || bad.Refused != pairs || bad.Errors[0].Line != 2 {
		t.Errorf("%d and %d lines are refused: expected none and one of each pair", good.Refused, bad.Refused)
	}
	if longer > 10*takes+time.Second {
		t.Errorf("a load takes %s, and %s with cycles", takes, longer)
	}
}

// TestLoadSortsOnDisk loads more than fits into memory at once, in no order.
func TestLoadSortsOnDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	var text bytes.Buffer
	const users = 3_000
	padding := strings.Repeat("x", 16<<10)
	for i := range users {
		fmt.Fprintf(&text, `{"entity":{"type":"user","id":"%d","attributes":{"p":"%s"},"parents":["group:%d"]}}`+"\n", i*7919%users, padding, i%3)
	}
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := directory.Load(t.Context(), dir, tenant, &text, directory.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	d := newDirectory(t, directory.Options{Dir: dir})
	count := 0
	if err := latest(t, d).EachID("user", "", func(string) bool { count++; return true }); err != nil || count != users {
		t.Errorf("%d users, %v", count, err)
	}
	mustBeSound(t, d)
}

func TestExportReturnsErrors(t *testing.T) {
	d := newDirectory(t, directory.Options{})
	if _, err := importText(t, d, small, directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Export(ctx, tenant, authz.Consistency{}, io.Discard); authz.KindOf(err) != authz.Canceled {
		t.Errorf("a context that ended: %v", err)
	}
	full := errors.New("full")
	if _, err := d.Export(t.Context(), tenant, authz.Consistency{}, errWriter{full}); !errors.Is(err, full) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type errWriter struct{ err error }

func (w errWriter) Write([]byte) (int, error) { return 0, w.err }
