package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestProxiesPage does what docs/proxies.md tells a newcomer: it writes the page's
// files and runs its commands, with a real nginx, and sees what the page shows.
func TestProxiesPage(t *testing.T) {
	for _, tool := range []string{"nginx", "curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there: install it (apt-get install %s) to have the page tried", tool, tool)
		}
	}
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
	verdict, err := exec.LookPath("verdict")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(verdict, filepath.Join(dir, "verdict")); err != nil {
		t.Fatal(err)
	}

	// Whatever happens, nothing is left behind; job 1 is the server.
	script := "set -m; trap 'kill %1; nginx -p \"$PWD\" -c nginx.conf -e nginx.log -s stop' EXIT\n"
	commands, texts, wrote := layOut(t, dir, chapter, "go build -o verdict ./cmd/verdict\nmkdir clinic\n")
	script += commands
	shown := strings.Join(texts, "")
	if wrote < 6 || shown == "" {
		t.Fatalf("the page has %d files and shows %q", wrote, shown)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir = dir
	shell.Env = append(os.Environ(), "VERDICT_HTTP_ADDRESS="+ports[2], "VERDICT_GRPC_ADDRESS="+ports[3])
	shell.WaitDelay = 10 * time.Second
	output, err := shell.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		t.Errorf("the page's commands do not come to their end: %v", err)
	}
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
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxies.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "## nginx, in ten minutes")
	chapter, _, found := strings.Cut(chapter, "\n## ")
	if !found {
		t.Fatal("the page has no chapter about nginx")
	}
	return chapter
}

// freePorts are addresses on loopback that nobody listens on.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var addresses []string
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

// layOut writes a chapter's files, and returns its commands, without those that build
// what is tried, and what it shows.
func layOut(t *testing.T, dir, chapter, build string) (commands string, shown []string, wrote int) {
	t.Helper()
	for _, block := range blocksOf(chapter) {
		switch block.language {
		case "console":
			commands += strings.ReplaceAll(block.text, build, "")
		case "text":
			shown = append(shown, block.text)
		default:
			if block.file == "" {
				t.Fatalf("the page does not say where this goes:\n%s", block.text)
			}
			file := filepath.Join(dir, block.file)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, file, block.text)
			wrote++
		}
	}
	return commands, shown, wrote
}

// A block is a fenced block of a page, and the file that the text before it names.
type block struct{ language, file, text string }

func blocksOf(page string) []block {
	var blocks []block
	fences := regexp.MustCompile("(?s)(.*?)```([a-z]+)\n(.*?)```\n")
	into := regexp.MustCompile("this into `([^`]+)`")
	for _, match := range fences.FindAllStringSubmatch(page, -1) {
		b := block{language: match[2], text: match[3]}
		if named := into.FindAllStringSubmatch(match[1], -1); named != nil {
			b.file = named[len(named)-1][1]
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// linesLike is a pattern of lines, in which an ellipsis stands for anything, with
// others around them.
func linesLike(text string) string {
	parts := strings.Split(text, "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return "(?m)^" + strings.Join(parts, "[^\n]*")
}
