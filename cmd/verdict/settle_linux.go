package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// A programPart is a part of the program file that stands in memory.
type programPart struct {
	from, to uintptr
	// touched is set where something wrote into it: a debugger's breakpoint or a probe
	// of the kernel's, which would be lost if it were read from the file again.
	touched bool
}

// releaseProgram tells the kernel that the pages of the program's code and constants are
// not in use. A start goes through most of them, and a server that nobody asks needs
// few. They were read from the file and never change: what is needed again is found in
// the page cache, or is read again where the kernel took it for something else, which
// it may do sooner as long as nobody asks. A failure changes nothing.
func releaseProgram() {
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer file.Close()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for _, m := range programMappings(file, program) {
		for _, advice := range []uintptr{unix.MADV_COLD, unix.MADV_DONTNEED} {
			if !m.touched {
				_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, advice)
			}
		}
	}
}

// programMappings are the parts of a program that cannot be written to, as
// proc_pid_smaps(5) tells them.
func programMappings(smaps io.Reader, program string) (all []programPart) {
	inProgram := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"):
			var m programPart
			_, err := fmt.Sscanf(fields[0], "%x-%x", &m.from, &m.to)
			_, path, _ := strings.Cut(lines.Text(), "/")
			inProgram = err == nil && "/"+path == program && (fields[1] == "r-xp" || fields[1] == "r--p")
			if inProgram {
				all = append(all, m)
			}
		case inProgram && len(fields) == 3 && fields[0] == "Anonymous:":
			all[len(all)-1].touched = fields[1] != "0"
		}
	}
	return all
}
