package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmePolicy does what the README tells a newcomer: it writes the files
// of the first policy and runs the commands that need no server.
func TestReadmePolicy(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(text), "## Your first policy")
	if !found {
		t.Fatal("the README has no first policy")
	}
	t.Chdir(t.TempDir())
	for language, files := range map[string][]string{
		"json": {"mypolicy/directory.jsonl"},
		"rego": {"mypolicy/authz.rego", "mypolicy/authz_test.rego"},
	} {
		blocks := codeBlocks(chapter, language)
		if len(blocks) < len(files) {
			t.Fatalf("the README has %d blocks of %s, want %d", len(blocks), language, len(files))
		}
		for i, file := range files {
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, file, blocks[i])
		}
	}

	var ask []string
	for _, block := range codeBlocks(chapter, "console") {
		if strings.Contains(block, "--now") {
			ask = strings.Split(strings.TrimSpace(strings.ReplaceAll(block, "\\\n", " ")), "\n")
		}
	}
	if len(ask) != 2 {
		t.Fatalf("the README asks %q, want two commands", ask)
	}
	for i, want := range []int{exitOK, exitNo} {
		code, output := runLine(t, ask[i])
		if code != want {
			t.Errorf("%s\nended with %d, want %d:\n%s", ask[i], code, want, output)
		}
		if want == exitNo {
			showsIn(t, output, codeBlocks(chapter, "text")[0])
		}
	}
	if code, output := runLine(t, "./verdict test mypolicy"); code != exitOK || !strings.Contains(output, "2 passed") {
		t.Errorf("verdict test mypolicy ended with %d:\n%s", code, output)
	}
}

// showsIn reports lines of a text that do not stand in an output in their order.
// A line of an ellipsis stands for any others.
func showsIn(t *testing.T, output, text string) {
	t.Helper()
	rest := output
	for line := range strings.Lines(text) {
		if line == "…\n" {
			continue
		}
		_, after, found := strings.Cut(rest, line)
		if !found {
			t.Errorf("the README shows\n%sas the next line of\n%s", line, rest)
			return
		}
		rest = after
	}
}

// codeBlocks are the fenced blocks of a language.
func codeBlocks(text, language string) []string {
	var blocks []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// runLine runs a command line of this program. Arguments in single quotes are
// one.
func runLine(t *testing.T, line string) (code int, output string) {
	t.Helper()
	var args []string
	for _, match := range regexp.MustCompile(`'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		args = append(args, match[1]+match[2])
	}
	var out bytes.Buffer
	code = run(t.Context(), args[1:], streams{in: strings.NewReader(""), out: &out, err: &out})
	return code, out.String()
}
