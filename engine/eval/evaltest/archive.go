package evaltest

import (
	"embed"
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/evaltest/generate"
)

// The files of an archive beside the modules.
const (
	dataFile      = "data.json"
	directoryFile = "directory.jsonl"
	requestFile   = "request.json"
	queryFile     = "query"
)

// archived is a case with one request and one query as a txtar archive.
func archived(c generate.Case) string {
	archive := &txtar.Archive{Files: []txtar.File{
		{Name: generate.Policy, Data: []byte(c.Modules[generate.Policy])},
		{Name: generate.Helper, Data: []byte(c.Modules[generate.Helper])},
		{Name: dataFile, Data: []byte(c.Data + "\n")},
		{Name: directoryFile, Data: []byte(c.Directory)},
		{Name: requestFile, Data: []byte(requestJSON(c.Requests[0]) + "\n")},
		{Name: queryFile, Data: []byte(c.Queries[0] + "\n")},
	}}
	return string(txtar.Format(archive))
}

// requestJSON is a request as the policy sees it.
func requestJSON(r authz.Request) string {
	document, err := eval.Document(&r)
	if err != nil {
		return err.Error()
	}
	return document.String()
}

// unarchived is the case of an archive.
func unarchived(t testing.TB, archive *txtar.Archive) generate.Case {
	t.Helper()
	c := generate.Case{Modules: make(map[string]string), Data: "{}", Queries: []string{""}, Requests: make([]authz.Request, 1)}
	for _, file := range archive.Files {
		text := string(file.Data)
		switch {
		case path.Ext(file.Name) == ".rego":
			if strings.TrimSpace(text) != "" {
				c.Modules[file.Name] = text
			}
		case file.Name == dataFile:
			c.Data = strings.TrimSpace(text)
		case file.Name == directoryFile:
			c.Directory = text
		case file.Name == queryFile:
			c.Queries[0] = strings.TrimSpace(text)
		case file.Name == requestFile:
			decoder := json.NewDecoder(strings.NewReader(text))
			decoder.UseNumber()
			if err := decoder.Decode(&c.Requests[0]); err != nil {
				t.Fatalf("%s: %v", requestFile, err)
			}
		default:
			t.Fatalf("%s is no file of a difference", file.Name)
		}
	}
	return c
}

//go:embed testdata/differences
var differences embed.FS

// RunDifferences runs the differences that were found once and stand in
// testdata/differences, each an archive named after what it is about. They are
// none any more: each must be tolerated or gone.
func (d Differential) RunDifferences(t *testing.T) {
	t.Helper()
	const folder = "testdata/differences"
	entries, err := differences.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Run(strings.TrimSuffix(entry.Name(), ".txtar"), func(t *testing.T) {
			raw, err := differences.ReadFile(path.Join(folder, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			tally, found := d.Check(t, unarchived(t, txtar.Parse(raw)))
			if found != nil {
				t.Fatal(found)
			}
			if tally.Uncompiled > 0 {
				t.Fatal("the policy does not compile")
			}
		})
	}
}
