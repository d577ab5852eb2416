package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// A sample is what the server has at rest.
type sample [len(measures)]float64

// A measure is something that has to stay as it is.
type measure struct {
	name  string
	bytes bool
	// The last quarter may have so much of it, beside the second: what comes and
	// goes with the store's compactions and with Go's own collector.
	factor, more float64
}

var measures = [...]measure{
	{"goroutines", false, 1, 16},
	{"files", false, 1, 24},
	{"heap", true, 1.15, 8 << 20},
	{"resident", true, 1.25, 32 << 20},
}

func (s sample) String() string {
	var line strings.Builder
	for i, m := range measures {
		if i > 0 {
			line.WriteString("  ")
		}
		line.WriteString(m.name + " " + m.text(s[i]))
	}
	return line.String()
}

func (m measure) text(value float64) string {
	if m.bytes {
		return humanize.IBytes(uint64(value))
	}
	return strconv.Itoa(int(value))
}

// settle is how long after the work has ended connections and timers may take to
// go away.
const settle = time.Second

// look has the server collect its garbage, and measures it. The server is at rest.
func (s *server) look(ctx context.Context) (sample, error) {
	web.CloseIdleConnections()
	if !sleep(ctx, settle) {
		return sample{}, ctx.Err()
	}
	// A profile of the heap begins with a collection when asked to. What is in pools is
	// given up by the second.
	for range 2 {
		if _, err := get(ctx, "http://"+s.admin+"/debug/pprof/heap?gc=1"); err != nil {
			return sample{}, err
		}
	}
	metrics, err := get(ctx, "http://"+s.http+"/metrics")
	if err != nil {
		return sample{}, err
	}
	goroutines, err1 := valueOf(metrics, "go_goroutines")
	heap, err2 := valueOf(metrics, "go_memstats_heap_alloc_bytes")
	files, err3 := s.files()
	resident, err4 := s.resident()
	return sample{goroutines, files, heap, resident}, errors.Join(err1, err2, err3, err4)
}

// files is how many files the server has open, but for the tables of its store: these are
// as many as there is to keep, and are merged from time to time.
func (s *server) files() (float64, error) {
	dir := fmt.Sprintf("/proc/%d/fd", s.pid())
	open, err := os.ReadDir(dir)
	files := 0
	for _, file := range open {
		if name, err := os.Readlink(filepath.Join(dir, file.Name())); err == nil && filepath.Ext(name) != ".sst" {
			files++
		}
	}
	return float64(files), err
}

// valueOf is a metric without labels.
func valueOf(metrics []byte, name string) (float64, error) {
	lines := bufio.NewScanner(bytes.NewReader(metrics))
	for lines.Scan() {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// resident is the server's memory as the kernel counts it, but for what it maps of files,
// which the kernel takes back as it likes.
func (s *server) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kibibytes float64
		if n, _ := fmt.Sscanf(line, "RssAnon: %f kB", &kibibytes); n == 1 {
			return kibibytes * 1024, nil
		}
	}
	return 0, fmt.Errorf("/proc says %q", text)
}

// compare holds the last quarter of samples to the second one: what is there first
// fills caches.
func compare(samples []sample) error {
	quarter := len(samples) / 4
	if quarter == 0 {
		return fmt.Errorf("%d samples cannot be compared", len(samples))
	}
	second, last := samples[quarter:2*quarter], samples[len(samples)-quarter:]
	var errs []error
	for i, m := range measures {
		before, after := median(second, i), median(last, i)
		if after > before*m.factor+m.more {
			errs = append(errs, fmt.Errorf("%s grew from %s to %s", m.name, m.text(before), m.text(after)))
		}
	}
	return errors.Join(errs...)
}

func median(samples []sample, of int) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s[of]
	}
	slices.Sort(values)
	return values[len(values)/2]
}
