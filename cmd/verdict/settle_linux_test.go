package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestProgramMappings takes the parts of the program that are never written to, and
// tells of one into which a probe was put.
func TestProgramMappings(t *testing.T) {
	const smaps = `00400000-015b5000 r-xp 00000000 fe:00 1234      /opt/a b/verdict
Rss:               16468 kB
Anonymous:             4 kB
015b5000-02fbd000 r--p 011b5000 fe:00 1234      /opt/a b/verdict
Rss:               16212 kB
Anonymous:             0 kB
02fbd000-03147000 rw-p 02bbd000 fe:00 1234      /opt/a b/verdict
Anonymous:             0 kB
7f0c96202000-7f0c96242000 r--p 00000000 fe:00 99      /data/000001.sst
Anonymous:             8 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Anonymous:          4096 kB
`
	want := []programPart{{0x400000, 0x15b5000, true}, {0x15b5000, 0x2fbd000, false}}
	if diff := cmp.Diff(want, programMappings(strings.NewReader(smaps), "/opt/a b/verdict"), cmp.AllowUnexported(programPart{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestReleaseProgram finds the program's own mappings, and goes on after they were given
// back.
func TestReleaseProgram(t *testing.T) {
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if len(programMappings(file, program)) == 0 {
		t.Errorf("no part of %s is found", program)
	}
	releaseProgram()
}
