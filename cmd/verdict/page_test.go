package main

import (
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// needTools skips a test of a page where a program is missing that the page needs.
func needTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there: install it (apt-get install %s) to have the page tried", tool, tool)
		}
	}
}

// chapterOf is a chapter of a page in docs, by its heading, up to the next.
func chapterOf(t *testing.T, name, heading string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(page), "## "+heading)
	chapter, _, found := strings.Cut(chapter, "\n## ")
	if !found {
		t.Fatalf("docs/%s has no chapter %s", name, heading)
	}
	return chapter
}

// runPage runs a page's commands in a directory, with verdict in it and its server at
// some addresses, and returns what they print. Whatever happens, nothing is left behind:
// the server, which is job 1, and what else a command stops.
func runPage(t *testing.T, dir, commands, stop, http, grpc string) []byte {
	t.Helper()
	verdict, err := exec.LookPath("verdict")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(verdict, filepath.Join(dir, "verdict")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash", "-c", "set -m; trap 'kill %1; "+stop+"; wait' EXIT\n"+commands)
	shell.Dir = dir
	shell.Env = append(os.Environ(), "VERDICT_HTTP_ADDRESS="+http, "VERDICT_GRPC_ADDRESS="+grpc)
	shell.WaitDelay = 10 * time.Second
	output, err := shell.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		t.Errorf("the page's commands do not come to their end: %v", err)
	}
	return output
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

// testsBelow are the names of the tests that are declared in and below a directory.
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	there := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range declared.FindAllSubmatch(source, -1) {
			there[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}
