// Package program builds the verdict binary that benchmarks measure, as deploy/release
// builds it: with the profile that a release is compiled with, so that what is measured is
// what is shipped.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Build writes the program to a path. It takes some minutes where nothing of it was built
// before.
func Build(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/verdictpdp/verdict").Output()
	if err != nil {
		return fmt.Errorf("the sources of verdict cannot be found from here: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "timetzdata",
		"-ldflags", "-s -w", "-pgo=deploy/release/verdict.pgo", "-o", path, "./cmd/verdict")
	cmd.Dir = strings.TrimSpace(string(root))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building verdict: %w\n%s", err, out)
	}
	return nil
}
