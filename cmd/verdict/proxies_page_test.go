package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestProxiesPage does what docs/proxies.md tells a newcomer: it writes the page's
// files and runs its commands, with a real nginx, and sees what the page shows.
func TestProxiesPage(t *testing.T) {
	needTools(t, "nginx", "curl", "bash")
	if usage, err := exec.Command("nginx", "-V").CombinedOutput(); err != nil || !strings.Contains(string(usage), "http_auth_request_module") {
		t.Skip("this nginx has no auth_request: install Debian's to have the page tried")
	}
	ports := freePorts(t, 4)
	chapter := strings.NewReplacer(
		"127.0.0.1:8080", ports[0], "127.0.0.1:8081", ports[1], "127.0.0.1:8182", ports[2],
		"./verdict import", "./verdict import --server "+ports[3],
	).Replace(nginxChapter(t))
	dir := t.TempDir()
	// nginx's workers may run as another user.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	commands, texts, wrote := layOut(t, dir, chapter, "go build -o verdict ./cmd/verdict\nmkdir clinic\n")
	shown := strings.Join(texts, "")
	if wrote < 6 || shown == "" {
		t.Fatalf("the page has %d files and shows %q", wrote, shown)
	}

	output := runPage(t, dir, commands, `nginx -p "$PWD" -c nginx.conf -e nginx.log -s stop`, ports[2], ports[3])
	output = bytes.ReplaceAll(output, []byte("\r\n"), []byte("\n")) // of nginx's own pages
	if !regexp.MustCompile(linesLike(shown)).Match(output) {
		t.Errorf("the page shows\n%sbut there was\n%s", shown, output)
		for _, log := range []string{"verdict.log", "nginx.log"} {
			text, _ := os.ReadFile(filepath.Join(dir, log))
			t.Logf("%s:\n%s", log, text)
		}
	}
}

// nginxChapter is what docs/proxies.md says about nginx.
func nginxChapter(t *testing.T) string {
	t.Helper()
	return chapterOf(t, "proxies.md", "nginx, in ten minutes")
}
