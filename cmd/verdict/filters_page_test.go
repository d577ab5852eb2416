package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestFiltersPage does what docs/filters.md tells a newcomer, with the SQLite that
// Python has, and sees what the page shows.
func TestFiltersPage(t *testing.T) {
	for _, tool := range []string{"python3", "curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there: install it (apt-get install %s) to have the page tried", tool, tool)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "filters.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "## With SQLite, in five minutes")
	chapter, _, found := strings.Cut(chapter, "\n## ")
	if !found {
		t.Fatal("the page has no chapter about SQLite")
	}
	ports := freePorts(t, 2)
	chapter = strings.NewReplacer("127.0.0.1:8181", ports[0], "./verdict import", "./verdict import --server "+ports[1]).Replace(chapter)
	dir := t.TempDir()
	verdict, err := exec.LookPath("verdict")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(verdict, filepath.Join(dir, "verdict")); err != nil {
		t.Fatal(err)
	}

	commands, shown, _ := layOut(t, dir, chapter, "go build -o verdict ./cmd/verdict\nmkdir shop\n")
	if len(shown) != 3 {
		t.Fatalf("the page shows %q", shown)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", "set -m; trap 'kill %1' EXIT\n"+commands) // job 1 is the server
	shell.Dir = dir
	shell.Env = append(os.Environ(), "VERDICT_HTTP_ADDRESS="+ports[0], "VERDICT_GRPC_ADDRESS="+ports[1])
	shell.WaitDelay = 10 * time.Second
	output, err := shell.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		t.Errorf("the page's commands do not come to their end: %v", err)
	}
	for _, text := range shown {
		if !regexp.MustCompile(linesLike(text)).Match(append(output, '\n')) {
			log, _ := os.ReadFile(filepath.Join(dir, "verdict.log"))
			t.Errorf("the page shows\n%sbut there was\n%s\n%s", text, output, log)
		}
	}
}
