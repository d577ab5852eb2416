package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A platform is what a program is built for.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// A release is what is built, and from where.
type release struct {
	repository string
	version    string
	platforms  []platform
	// cache is the build cache; empty is the user's own.
	cache string
}

// besides is what an archive holds besides the program, by where it is in the
// repository.
var besides = []string{"verdict.example.yaml", "deploy/systemd/verdict.service", "deploy/systemd/verdict.sysusers"}

// make makes a directory with all files of the release. One that was begun and not
// finished is removed.
func (r release) make(ctx context.Context, out string) (err error) {
	scratch, err := os.MkdirTemp("", "verdict-release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	source := filepath.Join(scratch, "source")
	if _, err := output(ctx, ".", "git", "clone", "--quiet", r.repository, source); err != nil {
		return err
	}
	committed, err := commitTime(ctx, source)
	if err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(out))
		}
	}()
	// The image has an empty directory for the store, which belongs to its user.
	if err := os.MkdirAll(filepath.Join(out, imageDir, "data"), 0o755); err != nil {
		return err
	}
	for _, p := range r.platforms {
		program := filepath.Join(scratch, p.String(), "verdict")
		if err := r.build(ctx, source, p, program); err != nil {
			return err
		}
		if err := r.pack(source, program, p, committed, out); err != nil {
			return err
		}
	}
	return writeSums(out)
}

// imageDir is what the Dockerfile is built in: a directory a platform, each with
// the program.
const imageDir = "image"

// pack writes what a release has for one platform.
func (r release) pack(source, program string, p platform, committed time.Time, out string) error {
	name := fmt.Sprintf("verdict_%s_%s", r.version, p)
	files := []string{program}
	for _, file := range besides {
		files = append(files, filepath.Join(source, file))
	}
	if err := archive(filepath.Join(out, name+".tar.gz"), name, files, committed); err != nil {
		return err
	}
	if err := writeSBOM(filepath.Join(out, name+".cdx.json"), program, r.version, p, committed); err != nil {
		return err
	}
	if p.os != "linux" {
		return nil
	}
	dir := filepath.Join(out, imageDir, p.String())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "verdict"), text, 0o755)
}

// profile is what the program is compiled with: where the time of checks goes. How it is
// made is told by benchmarks/transport.
const profile = "deploy/release/verdict.pgo"

// build compiles the program: static, with the time zones that policies may name, and
// without anything that depends on where and by whom it is done.
func (r release) build(ctx context.Context, source string, p platform, program string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=true", "-tags", "timetzdata",
		"-ldflags", "-s -w -buildid= -X main.version="+r.version, "-pgo="+profile, "-o", program, "./cmd/verdict")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0",
		"GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off", "GOWORK=off", "GOENV=off")
	if r.cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+r.cache)
	}
	_, err := outputOf(cmd)
	return err
}

// commitTime is when what is checked out was committed.
func commitTime(ctx context.Context, source string) (time.Time, error) {
	text, err := output(ctx, source, "git", "log", "-1", "--format=%cI")
	if err != nil {
		return time.Time{}, err
	}
	committed, err := time.Parse(time.RFC3339, text)
	return committed.UTC(), err
}

// output runs a command and returns what it prints, without the last newline.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	return outputOf(cmd)
}

func outputOf(cmd *exec.Cmd) (string, error) {
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, &errs)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}
