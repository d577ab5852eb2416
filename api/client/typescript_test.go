package client_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	shop := t.TempDir()
	here := strings.NewReplacer("../shop", shop, "127.0.0.1:8181", address)
	blocks := blocksOf(t, "TypeScript", "A test takes these commands")
	script, shown := "set -e\n"+here.Replace(strings.Join(blocks["console"], "")), strings.Join(blocks["text"], "")
	if len(blocks) != 3 || len(blocks["ts"]) != 1 || shown == "" || !strings.Contains(script, "buf generate") {
		t.Fatalf("the chapter is not as the test knows it: %q", blocks)
	}
	if err := errors.Join(
		os.MkdirAll(filepath.Join(shop, "src"), 0o755),
		os.WriteFile(filepath.Join(shop, "src", "check.ts"), []byte(here.Replace(blocks["ts"][0])), 0o600),
	); err != nil {
		t.Fatal(err)
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
