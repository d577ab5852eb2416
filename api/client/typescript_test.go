package client_test

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

// TestTypeScript does what docs/clients.md tells to do in TypeScript, on a real
// server, and sees what the page shows. npm installs packages for it.
func TestTypeScript(t *testing.T) {
	const asked = "VERDICT_NPM"
	if os.Getenv(asked) == "" {
		t.Skipf("set %s=1 to have the page's commands run: they install packages from the npm registry, which takes its time", asked)
	}
	for _, tool := range []string{"node", "npm", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there: install it to have the page tried", tool)
		}
	}
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "\n## TypeScript\n")
	chapter, _, found := strings.Cut(chapter, "A test takes these commands")
	if !found {
		t.Fatal("the page has no chapter about TypeScript")
	}
	shop := t.TempDir()
	chapter = strings.NewReplacer("../shop", shop, "127.0.0.1:8181", address).Replace(chapter)

	script, shown, wrote := "set -e\n", "", 0
	for _, block := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```\n").FindAllStringSubmatch(chapter, -1) {
		switch language, text := block[1], block[2]; language {
		case "console":
			script += text
		case "text":
			shown += text
		case "ts":
			file := filepath.Join(shop, "src", "check.ts")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			wrote++
		default:
			t.Fatalf("what is to be done with this?\n%s", text)
		}
	}
	if wrote != 1 || shown == "" || !strings.Contains(script, "buf generate") {
		t.Fatalf("the page has %d files, shows %q and runs\n%s", wrote, shown, script)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir = root
	shell.WaitDelay = 10 * time.Second
	output, err := shell.CombinedOutput()
	if err != nil || !strings.Contains(string(output), shown) {
		t.Errorf("%v: the page shows\n%s\nbut there was\n%s", err, shown, output)
	}
}
