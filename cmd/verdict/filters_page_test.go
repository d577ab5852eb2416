package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFiltersPage does what docs/filters.md tells a newcomer, with the SQLite that
// Python has, and sees what the page shows.
func TestFiltersPage(t *testing.T) {
	if testing.Short() {
		t.Skip("one command is run after another")
	}
	needTools(t, "python3", "curl", "bash")
	ports := freePorts(t, 2)
	chapter := strings.NewReplacer("127.0.0.1:8181", ports[0], "./verdict import", "./verdict import --server "+ports[1]).
		Replace(chapterOf(t, "filters.md", "With SQLite, in five minutes"))
	dir := t.TempDir()

	commands, shown, _ := layOut(t, dir, chapter, "go build -o verdict ./cmd/verdict\nmkdir shop\n")
	if len(shown) != 3 {
		t.Fatalf("the page shows %q", shown)
	}

	output := runPage(t, dir, commands, "true", ports[0], ports[1])
	for _, text := range shown {
		if !regexp.MustCompile(linesLike(text)).Match(append(output, '\n')) {
			log, _ := os.ReadFile(filepath.Join(dir, "verdict.log"))
			t.Errorf("the page shows\n%sbut there was\n%s\n%s", text, output, log)
		}
	}
}
