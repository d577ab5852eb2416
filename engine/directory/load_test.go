package directory

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadEndsWithItsContext has the context end when all lines are read.
func TestLoadEndsWithItsContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	ended := &countingContext{Context: t.Context()} // which reading lines does not look at
	_, err := Load(ended, dir, "workforce", strings.NewReader(`{"entity":{"type":"user","id":"mina"}}`), LoadOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, expected that of the context", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("something is loaded")
	}
}
