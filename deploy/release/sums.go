package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sumsFile is what sha256sum --check reads.
const sumsFile = "SHA256SUMS"

func writeSums(dir string) error {
	all, err := sums(dir)
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&text, "%s  %s\n", all[name], name)
	}
	return os.WriteFile(filepath.Join(dir, sumsFile), []byte(text.String()), 0o644)
}

// sums are the checksums of the files below a directory, by their names.
func sums(dir string) (map[string]string, error) {
	all := map[string]string{}
	tree := os.DirFS(dir)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		all[name] = fmt.Sprintf("%x", sha256.Sum256(text))
		return nil
	})
	return all, err
}

// same is an error that names each file in which two directories differ.
func same(one, other string) error {
	first, err := sums(one)
	if err != nil {
		return err
	}
	second, err := sums(other)
	if err != nil {
		return err
	}
	names := maps.Clone(first)
	maps.Copy(names, second)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if first[name] != second[name] {
			errs = append(errs, fmt.Errorf("%s is not the same when it is built again: SHA-256 %q, then %q", name, first[name], second[name]))
		}
	}
	return errors.Join(errs...)
}
