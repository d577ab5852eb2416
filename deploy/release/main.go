// Command release builds what a release consists of, for linux and darwin on amd64
// and arm64:
//
//	go -C deploy/release run . -version 1.2.3
//
// An archive a platform, with the program, its example of a configuration and its
// systemd unit; beside it the list of the modules in that program (an SBOM, CycloneDX);
// the programs for the container image; and SHA256SUMS of all of it.
//
// It builds what is committed, from a clone, so nothing that lies in a work tree gets
// in. The same commit, tags and Go version give the same bytes wherever that is done:
// -check builds all of it a second time, in another directory and with an empty build
// cache, and compares. The modules' licences are not in the SBOM: telling them takes
// a program that reads texts, and buyers of software have their own.
//
// It is a module of its own, for the sake of the library that writes the SBOM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "release: %s\n", err)
		os.Exit(1)
	}
}

// platforms are those that a release has programs for.
var platforms = []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}

// versions are those that an image may be tagged with, and a chart may have.
var versions = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	version := flags.String("version", "", "the version that is released, such as 1.2.3")
	out := flags.String("out", "", "the `directory` that is made, dist in the repository if not given")
	check := flags.Bool("check", false, "build twice, and fail where the bytes differ")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !versions.MatchString(*version) {
		return fmt.Errorf("-version %q: expected a version such as 1.2.3", *version)
	}
	root, err := output(ctx, ".", "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	if *out == "" {
		*out = filepath.Join(root, "dist")
	}
	if _, err := os.Stat(*out); err == nil {
		return fmt.Errorf("%s is there already: remove it, or name another directory with -out", *out)
	}
	r := release{repository: root, version: *version, platforms: platforms}
	if err := r.make(ctx, *out); err != nil {
		return err
	}
	fmt.Printf("built %s with %s, in %s\n", *version, runtime.Version(), *out)
	if !*check {
		return nil
	}
	return r.check(ctx, *out)
}

// check makes the release once more, with nothing in the build cache, and compares it
// with what there is.
func (r release) check(ctx context.Context, made string) (err error) {
	scratch, err := os.MkdirTemp("", "verdict-release-check-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()
	r.cache = filepath.Join(scratch, "cache")
	again := filepath.Join(scratch, "dist")
	if err := r.make(ctx, again); err != nil {
		return err
	}
	if err := same(made, again); err != nil {
		return err
	}
	fmt.Println("built again, from an empty cache and in another directory: the same bytes")
	return nil
}
