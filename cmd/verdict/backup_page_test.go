package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestBackupPage does what docs/backup.md tells a newcomer, and sees what the page
// shows.
func TestBackupPage(t *testing.T) {
	if testing.Short() {
		t.Skip("one command is run after another")
	}
	needTools(t, "bash")
	ports := freePorts(t, 2)
	// The commands take the server's address from nowhere else.
	chapter := chapterOf(t, "backup.md", "In five minutes")
	for _, verb := range []string{"check", "import", "backup", "export"} {
		chapter = strings.ReplaceAll(chapter, "./verdict "+verb, "./verdict "+verb+" --server "+ports[1])
	}
	dir := t.TempDir()
	commands, shown, _ := layOut(t, dir, chapter, "go build -o verdict ./cmd/verdict\n")
	if len(shown) != 4 {
		t.Fatalf("the page shows %q", shown)
	}
	output := runPage(t, dir, commands, "true", ports[0], ports[1])
	for _, text := range shown {
		for line := range strings.Lines(text) {
			if !regexp.MustCompile(linesLike(line)).Match(append(output, '\n')) {
				log, _ := os.ReadFile(filepath.Join(dir, "verdict.log"))
				t.Errorf("the page shows\n%sbut there was\n%s\n%s", line, output, log)
			}
		}
	}
}
