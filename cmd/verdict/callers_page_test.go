package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCallersPage does what docs/callers.md tells, each way for a caller to show who it
// is, and sees what the page shows.
func TestCallersPage(t *testing.T) {
	if testing.Short() {
		t.Skip("one command is run after another")
	}
	needTools(t, "openssl", "jq", "curl", "bash", "basenc")
	ports := freePorts(t, 2)
	chapter := strings.NewReplacer("127.0.0.1:8182", ports[0], "127.0.0.1:8181", ports[1]).
		Replace(chapterOf(t, "callers.md", "Each way, in ten minutes"))
	dir := t.TempDir()

	commands, shown, _ := layOut(t, dir, chapter, "mkdir shop\n")
	if len(shown) != 4 {
		t.Fatalf("the page shows %q", shown)
	}

	output := runPage(t, dir, commands, "kill %2", ports[0], ports[1])
	for _, text := range shown {
		if !regexp.MustCompile(linesLike(text)).Match(append(output, '\n')) {
			log, _ := os.ReadFile(filepath.Join(dir, "verdict.log"))
			t.Errorf("the page shows\n%sbut there was\n%s\n%s", text, output, log)
		}
	}
}
