package client_test

import (
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

// blocksOf are the blocks of what docs/clients.md says about a language, by what they
// are in, up to a text.
func blocksOf(t *testing.T, language, end string) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "\n## "+language+"\n")
	chapter, _, found := strings.Cut(chapter, end)
	if !found {
		t.Fatal("the page has no chapter about " + language)
	}
	blocks := map[string][]string{}
	for _, block := range regexp.MustCompile("(?s)```([a-z]+)\n(.*?)```\n").FindAllStringSubmatch(chapter, -1) {
		blocks[block[1]] = append(blocks[block[1]], block[2])
	}
	return blocks
}

func goChapter(t *testing.T) map[string][]string {
	t.Helper()
	blocks := blocksOf(t, "Go", "\n## ")
	if len(blocks["go"]) != 2 || len(blocks["console"]) != 2 || len(blocks["text"]) != 1 {
		t.Fatalf("the chapter is not as the test knows it: %q", blocks)
	}
	return blocks
}

// TestGoPage does what the page tells to do in Go, on a real server, and sees what
// the page shows.
func TestGoPage(t *testing.T) {
	if testing.Short() {
		t.Skip("it is about a program that is built without the race detector")
	}
	for _, tool := range []string{"curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there: install it to have the page tried", tool)
		}
	}
	blocks := goChapter(t)
	address, stop := serveWorkforce("tcp", "127.0.0.1:0")
	defer stop()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	own := free.Addr().String()
	free.Close()
	here := strings.NewReplacer("127.0.0.1:8181", address, "127.0.0.1:8080", own)

	dir := t.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "records")
	if err := os.WriteFile(source, []byte(here.Replace(blocks["go"][0])), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("the page's program is not compiled: %v\n%s", err, output)
	}
	var said strings.Builder
	running := exec.CommandContext(ctx, program)
	running.Stderr = &said
	if err := running.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", own); err == nil {
			conn.Close()
			break
		}
		if time.Now().After(end) {
			t.Error("the page's program does not listen")
			break
		}
	}
	output, err := exec.CommandContext(ctx, "bash", "-c", here.Replace(blocks["console"][0])).CombinedOutput()
	shown := strings.ReplaceAll(regexp.QuoteMeta(blocks["text"][0]), "…", "[0-9a-f-]+")
	if err != nil || !regexp.MustCompile("^"+shown+"$").Match(output) {
		t.Errorf("%v: the page shows\n%s\nbut there was\n%s", err, blocks["text"][0], output)
	}
	_ = running.Process.Kill()
	_ = running.Wait() // which tells that it was killed
	if !strings.Contains(said.String(), "denies: ") || !strings.Contains(said.String(), "nobody is logged in") {
		t.Errorf("the log of the page's program:\n%s", &said)
	}
}

// What the page shows of gRPC is a part of an example that runs.
func TestGoPageOfGRPC(t *testing.T) {
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.ReplaceAll("\n"+strings.TrimSpace(goChapter(t)["go"][1]), "\n", "\n\t")
	if !strings.Contains(string(examples), shown+"\n") {
		t.Errorf("no example has what the page shows:\n%s", shown)
	}
}
