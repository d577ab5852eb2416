package benchmarks

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verdictpdp/verdict/engine/directory"
)

// importUsers is how many the figures are about; fewer are quicker.
var importUsers = flag.Int("users", 1_000_000, "users that the import benchmarks write")

// BenchmarkLoad measures a bulk load of users of ten attributes into a store
// that is not there yet. The tenths are those of reading: sorting and writing
// the tables comes after, and is in users/s.
func BenchmarkLoad(b *testing.B) {
	measureImport(b, func(b *testing.B, file *os.File, progress func(lines, refused int)) (directory.ImportReport, error) {
		return directory.Load(b.Context(), filepath.Join(b.TempDir(), "store"), tenant, file, directory.LoadOptions{Progress: progress})
	})
}

// BenchmarkImport measures the same users imported into a store in service.
func BenchmarkImport(b *testing.B) {
	measureImport(b, func(b *testing.B, file *os.File, progress func(lines, refused int)) (directory.ImportReport, error) {
		d, err := directory.Open(directory.Options{Dir: filepath.Join(b.TempDir(), "store"), Tenants: []string{tenant}})
		if err != nil {
			return directory.ImportReport{}, err
		}
		b.Cleanup(func() {
			if err := d.Close(); err != nil {
				b.Error(err)
			}
		})
		return d.Import(b.Context(), tenant, file, directory.ImportOptions{Progress: progress})
	})
}

// measureImport reports users a second over all and in the first and last
// tenth, the processor time of a user, and the most memory that was resident.
// That is the process's since it began: run the benchmarks one by one for it.
func measureImport(b *testing.B, write func(*testing.B, *os.File, func(lines, refused int)) (directory.ImportReport, error)) {
	path := filepath.Join(b.TempDir(), "users.jsonl")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	if err := (world{users: *importUsers}).writeUsers(file); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := file.Seek(0, 0); err != nil {
			b.Fatal(err)
		}
		p := progress{start: time.Now()}
		before := cpuSeconds()
		report, err := write(b, file, p.mark)
		elapsed := time.Since(p.start).Seconds()
		if err != nil || report.Applied != *importUsers {
			b.Fatalf("%+v: %v", report, err)
		}
		users := float64(*importUsers)
		b.ReportMetric(users/elapsed, "users/s")
		b.ReportMetric(p.rate(0, users/10), "first-tenth/s")
		b.ReportMetric(p.rate(users*9/10, users), "last-tenth/s")
		b.ReportMetric((cpuSeconds()-before)/users*1e6, "cpu-µs/user")
		b.ReportMetric(peakMiB(b), "peak-MiB")
		b.ReportMetric(0, "ns/op")
	}
}

// A progress is when how many lines were through.
type progress struct {
	start time.Time
	marks []progressMark
}

type progressMark struct {
	lines float64
	at    time.Time
}

func (p *progress) mark(lines, _ int) {
	p.marks = append(p.marks, progressMark{float64(lines), time.Now()})
}

// rate is lines a second between two numbers of lines.
func (p *progress) rate(from, to float64) float64 {
	first, last := progressMark{0, p.start}, progressMark{0, p.start}
	for _, m := range p.marks {
		if m.lines <= from {
			first = m
		}
		if m.lines <= to {
			last = m
		}
	}
	if last == first {
		return 0
	}
	return (last.lines - first.lines) / last.at.Sub(first.at).Seconds()
}

// cpuSeconds is the processor time that the process has taken; 0 where the
// system does not tell as Linux does.
func cpuSeconds() float64 {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	// The program's name, in parentheses, may hold anything. After it come the
	// fields from the third on; the 14th and the 15th are the user's and the
	// system's time, in hundredths of a second.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks float64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks / 100
}

// peakMiB is the most memory that the process has had resident, with the pages
// of the files that it maps; 0 where the system does not tell.
func peakMiB(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kib / 1024
		}
	}
	return 0
}
