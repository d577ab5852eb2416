package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestChangesPage does what docs/changes.md tells, and sees what the page shows.
func TestChangesPage(t *testing.T) {
	if testing.Short() {
		t.Skip("one command is run after another")
	}
	needTools(t, "bash")
	bundle, err := filepath.Abs(filepath.Join("..", "..", "bundles", "workforce"))
	if err != nil {
		t.Fatal(err)
	}
	chapter := strings.ReplaceAll(chapterOf(t, "changes.md", "In five minutes"), "cp -r bundles/workforce ", "cp -r "+bundle+" ")
	dir := t.TempDir()
	commands, shown, _ := layOut(t, dir, chapter, "")
	if len(shown) != 4 {
		t.Fatalf("the page shows %q", shown)
	}
	ports := freePorts(t, 2)
	output := runPage(t, dir, commands, ":", ports[0], ports[1])
	for _, text := range shown {
		if !regexp.MustCompile(strings.ReplaceAll(linesLike(text), `  `, ` +`)).Match(append(output, '\n')) {
			log, _ := os.ReadFile(filepath.Join(dir, "verdict.log"))
			t.Errorf("the page shows\n%sbut there was\n%s\n%s", text, output, log)
		}
	}
}
