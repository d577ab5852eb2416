package directory_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
)

// TestValidatingLoadingAndImportingAgree draws lines, in one batch or several:
// validating them finds what importing them refuses, loading those that are not
// refused comes to what importing them does, and so does importing its export.
func TestValidatingLoadingAndImportingAgree(t *testing.T) {
	scratch, runs := t.TempDir(), 0
	endOfBatch := strings.Repeat(" ", 3<<20)
	rapid.Check(t, func(t *rapid.T) {
		runs++
		line := rapid.Custom(func(t *rapid.T) string {
			text := directory.AppendLine(nil, changes(tenant).Draw(t, "change"))
			if rapid.IntRange(0, 9).Draw(t, "end of batch from 9") == 9 {
				return "{" + endOfBatch + string(text[1:])
			}
			return string(text)
		})
		open := func(dir string) *directory.Directory {
			d, err := directory.Open(directory.Options{Dir: dir, Tenants: []string{tenant}})
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		take := func(d *directory.Directory, lines []string, o directory.ImportOptions) directory.ImportReport {
			report, err := d.Import(t.Context(), tenant, strings.NewReader(strings.Join(lines, "")), o)
			if err != nil {
				t.Fatal(err)
			}
			return report
		}
		text := func(d *directory.Directory) string {
			var out strings.Builder
			if _, err := d.Export(t.Context(), tenant, authz.Consistency{}, &out); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		imported := open("")
		defer imported.Close()
		var taken []string // all lines that were not refused
		for range 2 {
			lines := rapid.SliceOfN(line, 1, 12).Draw(t, "lines")
			validated := take(imported, lines, directory.ImportOptions{ValidateOnly: true})
			kept := take(imported, lines, directory.ImportOptions{KeepGoing: true})
			if diff := cmp.Diff(validated.Errors, kept.Errors); diff != "" {
				t.Fatalf("lines that are refused (-validating +importing):\n%s", diff)
			}
			refused := map[int]bool{}
			for _, e := range kept.Errors {
				refused[e.Line] = true
			}
			for i, l := range lines {
				if !refused[i+1] {
					taken = append(taken, l)
				}
			}
		}
		exported := text(imported)
		again := open("")
		defer again.Close()
		take(again, []string{exported}, directory.ImportOptions{})
		if diff := cmp.Diff(exported, text(again)); diff != "" {
			t.Fatalf("an export that was imported (-first +second):\n%s", diff)
		}
		if runs%10 != 0 || len(taken) == 0 { // a load takes longer
			return
		}
		dir := filepath.Join(scratch, fmt.Sprint(runs))
		if _, err := directory.Load(t.Context(), dir, tenant, strings.NewReader(strings.Join(taken, "")), directory.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		loaded := open(dir)
		defer loaded.Close()
		if diff := cmp.Diff(exported, text(loaded)); diff != "" {
			t.Fatalf("what there is (-importing +loading):\n%s", diff)
		}
		report, err := loaded.Check(t.Context(), tenant, directory.CheckOptions{Deep: true})
		if err != nil || len(report.Damage) > 0 {
			t.Fatalf("check: %v, %v", report.Damage, err)
		}
	})
}

// TestImportDeletesWhatManyGrantsName has a line delete more grants than one
// batch may: it is no worse than others, be it validated, imported or loaded.
func TestImportDeletesWhatManyGrantsName(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine does it all, and for long")
	}
	var grants strings.Builder
	for i := range directory.MaxDeletedGrants + 1 {
		fmt.Fprintf(&grants, `{"grant":{"id":"%d","subject":"user:%[1]d","role":"role:r"}}`+"\n", i)
	}
	const deletion, later = `{"delete":{"entity":"role:r"}}` + "\n", `{"grant":{"id":"later","subject":"user:mina","role":"role:r"}}` + "\n"
	d := newDirectory(t, directory.Options{})
	if _, err := importText(t, d, grants.String(), directory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	report, err := importText(t, d, deletion+later, directory.ImportOptions{ValidateOnly: true})
	if err != nil || report.Refused > 0 {
		t.Errorf("validating: %+v, %v", report, err)
	}
	report, err = importText(t, d, deletion+later, directory.ImportOptions{})
	if err != nil || report.Applied != 2 || export(t, d) != later {
		t.Errorf("importing: %+v, %v", report, err)
	}
	mustBeSound(t, d)
	dir := filepath.Join(t.TempDir(), "store")
	if _, err := directory.Load(t.Context(), dir, tenant, strings.NewReader(grants.String()+deletion+later), directory.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	if loaded := newDirectory(t, directory.Options{Dir: dir}); export(t, loaded) != later {
		t.Error("loading comes to another state than importing")
	}
}
