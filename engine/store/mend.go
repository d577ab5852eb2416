package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// mend makes good what a process left that was killed in a directory, which is
// locked, so that nobody is at it. It touches nothing where no store is but something
// else, which it refuses.
func mend(dir string, rename func(from, to string) error) error {
	if err := expectNoOthers(dir); err != nil {
		return err
	}
	if err := adopt(dir, rename); err != nil {
		return err
	}
	if err := removeUnbegun(dir); err != nil {
		return authz.Errorf(authz.Unavailable, "the store in %s cannot be opened: %w", dir, err)
	}
	return nil
}

// removeUnbegun removes the logs that are empty: a process that is killed while
// Badger makes one leaves it so, and Badger does not open a store that has one.
func removeUnbegun(dir string) error {
	children, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, child := range children {
		if name := child.Name(); !isNumbered(name) || strings.HasSuffix(name, ".sst") {
			continue
		}
		info, err := child.Info()
		if err == nil && info.Size() == 0 {
			err = os.Remove(filepath.Join(dir, child.Name()))
		}
		if err != nil {
			return fmt.Errorf("removing a log that was not begun: %w", err)
		}
	}
	return nil
}
