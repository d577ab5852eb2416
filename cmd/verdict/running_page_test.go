package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRunningPage does what docs/running.md tells whoever operates a service, from the
// certificate to the upgrade, and sees what the page shows.
func TestRunningPage(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are started and killed")
	}
	needTools(t, "openssl", "bash")
	ports := freePorts(t, 2)
	chapter := strings.NewReplacer("127.0.0.1:8181", ports[0], "127.0.0.1:8182", ports[1]).
		Replace(chapterOf(t, "running.md", "A service, from end to end"))
	dir := t.TempDir()
	commands, shown, wrote := layOut(t, dir, chapter, "go build -o ../trial/verdict ./cmd/verdict\ncd ../trial\nmkdir policy\n")
	if wrote != 2 || len(shown) != 2 {
		t.Fatalf("the page writes %d files and shows %q", wrote, shown)
	}

	output := string(runPage(t, dir, commands, "true", ports[1], ports[0]))
	for _, text := range shown {
		if !regexp.MustCompile(linesLike(text)).MatchString(output) {
			t.Errorf("the page shows\n%sbut there was\n%s", text, output)
		}
	}
	// What is asked before the kill and after it is allowed, and what is asked of the
	// restored store is not.
	if got := strings.Count(output, "\nallow\n"); got != 2 {
		t.Errorf("%d questions are allowed, want 2", got)
	}
	if !regexp.MustCompile(`(?m)^verdict: .*service:shop`).MatchString(output) {
		t.Error("the shop's import is not refused")
	}
	if t.Failed() {
		log, _ := os.ReadFile(filepath.Join(dir, "verdict.log"))
		t.Logf("there was\n%s\n%s", output, log)
	}
}
