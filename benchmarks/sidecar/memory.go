package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A memory is what a process has resident, in KiB: all of it, and of that what belongs
// to it alone. The rest are pages of files, the program's and the store's, which the
// system takes back when it needs them.
type memory struct{ all, own int }

func (m memory) String() string {
	return fmt.Sprintf("%.1f MiB (%.1f without pages of files)", float64(m.all)/1024, float64(m.own)/1024)
}

// settled is the memory of a process once it has not changed by a MiB for some seconds.
func settled(ctx context.Context, pid int) (memory, error) {
	const still = 10
	last, err := memoryOf(pid)
	for same := 0; err == nil && same < still; same++ {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return memory{}, ctx.Err()
		}
		var at memory
		at, err = memoryOf(pid)
		if max(at.all-last.all, last.all-at.all) > 1024 {
			same = 0
		}
		last = at
	}
	return last, err
}

// memoryOf reads proc_pid_status(5).
func memoryOf(pid int) (m memory, err error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, fmt.Errorf("the memory of a process is told on Linux alone: %w", err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "VmRSS":
			_, err = fmt.Sscan(value, &m.all)
		case "RssAnon":
			_, err = fmt.Sscan(value, &m.own)
		}
		if err != nil {
			return memory{}, err
		}
	}
	return m, nil
}

// busyOf is the processor time that a process has used, as proc_pid_schedstat(5) tells it.
func busyOf(pid int) (time.Duration, error) {
	var all time.Duration
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			return 0, err
		}
		var nanoseconds int64
		if _, err := fmt.Sscan(string(text), &nanoseconds); err != nil {
			return 0, err
		}
		all += time.Duration(nanoseconds)
	}
	return all, nil
}
