package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// archive writes files into a directory of a .tar.gz file. Each has the time of the
// commit and belongs to root, whoever builds it and when.
func archive(out, dir string, files []string, committed time.Time) (err error) {
	target, err := os.Create(out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	compressed, err := gzip.NewWriterLevel(target, gzip.BestCompression)
	if err != nil {
		return err
	}
	entries := tar.NewWriter(compressed)
	for _, file := range files {
		if err := addFile(entries, path.Join(dir, filepath.Base(file)), file, committed); err != nil {
			return err
		}
	}
	return errors.Join(entries.Close(), compressed.Close())
}

func addFile(entries *tar.Writer, name, file string, committed time.Time) error {
	source, err := os.Open(file)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	err = entries.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: mode, ModTime: committed, Format: tar.FormatPAX,
	})
	if err != nil {
		return err
	}
	_, err = io.Copy(entries, source)
	return err
}
