// Command inside stands for Verdict in an image, and tells what it finds there.
package main

import (
	"fmt"
	"os"
)

func main() {
	for _, entry := range entries("/") {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			fmt.Println("file", entry.Name())
		}
	}
	if _, err := os.Stat("/bin"); err == nil {
		fmt.Println("there are programs")
	}
	fmt.Println("user", os.Getuid(), os.Getgid())
	fmt.Println("store", os.Getenv("VERDICT_DATA"), writable(os.Getenv("VERDICT_DATA")))
	fmt.Println("elsewhere", writable("/"), writable("/var"), writable("/verdict"))
}

func entries(dir string) []os.DirEntry {
	all, err := os.ReadDir(dir)
	if err != nil {
		fmt.Println(err)
	}
	return all
}

// writable is whether a file can be written, or made in a directory.
func writable(name string) bool {
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		file, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err == nil {
			file.Close()
		}
		return err == nil
	}
	file, err := os.CreateTemp(name, "inside")
	if err != nil {
		return false
	}
	file.Close()
	return os.Remove(file.Name()) == nil
}
