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
	writeFirstPolicy(t, chapter)

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

// writeFirstPolicy writes the files that the chapter on the first policy shows.
func writeFirstPolicy(t *testing.T, chapter string) {
	t.Helper()
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
}

// TestReadmeHTTP runs the commands of the chapter on HTTP and TLS: the server's, and
// then those that ask it. Sockets stand in for the ports, which may be in use.
func TestReadmeHTTP(t *testing.T) {
	for _, program := range []string{"openssl", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: install it to try the commands of the README", program)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, first, _ := strings.Cut(string(text), "## Your first policy")
	_, chapter, found := strings.Cut(first, "## Over HTTP")
	if !found {
		t.Fatal("the README has no chapter on HTTP")
	}
	t.Chdir(t.TempDir())
	writeFirstPolicy(t, first)
	blocks := codeBlocks(chapter, "console")
	if len(blocks) < 2 {
		t.Fatalf("the chapter has %d blocks of commands, want 2", len(blocks))
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	socket, http := unixPrefix+filepath.Join(dir, "verdict.sock"), filepath.Join(dir, "http.sock")
	write(t, ".curlrc", "unix-socket = \""+http+"\"\n")
	shell := func(lines string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", strings.ReplaceAll(lines, "./verdict", "exec verdict"))
		cmd.Env = append(os.Environ(), "CURL_HOME="+dir, "VERDICT_GRPC_ADDRESS="+socket, "VERDICT_HTTP_ADDRESS="+unixPrefix+http, "VERDICT_LIMITS_EVALUATION=10s")
		cmd.Stderr = t.Output()
		return cmd
	}
	server := shell(blocks[0])
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	awaitSocket(t, socket)
	imported := shell("./verdict import mypolicy/directory.jsonl --ca cert.pem --server " + socket)
	if output, err := imported.Output(); err != nil {
		t.Fatalf("the import ended with %v:\n%s", err, output)
	}

	commands := strings.Split(strings.TrimSpace(strings.ReplaceAll(blocks[1], "\\\n", " ")), "\n")
	wants := []string{
		"allow",
		`"policy_decision_point":"https://localhost:8182"`,
		`{"evaluations":[{"decision":true,`,
		`"results":[{"type":"patient_record","id":"p-102"}]`,
	}
	if len(commands) != len(wants) {
		t.Fatalf("there are %d commands, want %d: %q", len(commands), len(wants), commands)
	}
	for i, command := range commands {
		if strings.HasPrefix(command, "./verdict") {
			command += " --server " + socket
		}
		output, err := shell(command).Output()
		if err != nil || !strings.Contains(string(output), wants[i]) {
			t.Errorf("%s\nprinted %s, %v, want %s in it", command, output, err, wants[i])
		}
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
