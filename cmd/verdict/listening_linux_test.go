package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestListening sees a server as a scan of its ports does: it is where the README
// says, and nowhere else. Only the numbers of the ports are others here, since many
// tests run at once.
func TestListening(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if says := fmt.Sprintf("listens at `%s` (gRPC) and `%s`\n(HTTP), and nowhere else", defaultGRPC, defaultHTTP); !strings.Contains(string(readme), says) {
		t.Errorf("the README does not say that the server %s", says)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policy"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "policy", "authz.rego"), faultyPolicy)
	anyPort := func(address string) string { return strings.TrimRight(address, "0123456789") + "0" }
	server := exec.Command("verdict", "serve", "--bundle", filepath.Join(dir, "policy"), "--data", filepath.Join(dir, "store"),
		"--grpc", anyPort(defaultGRPC), "--http", anyPort(defaultHTTP))
	serving := awaitServing(t, server)
	want := map[netip.AddrPort]bool{netip.MustParseAddrPort(serving.GRPC): true, netip.MustParseAddrPort(serving.HTTP): true}
	got := listening(t, server.Process.Pid)
	if !maps.Equal(got, want) {
		t.Errorf("the server listens at %v, want %v", slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(want)))
	}
	for address := range got {
		if !address.Addr().IsLoopback() {
			t.Errorf("%v is not on loopback", address)
		}
	}
}

// TestSocketsAreMadePrivately holds that nobody else can reach a socket before its mode
// is set: a server masks what others may do with what it makes, whatever started it.
func TestSocketsAreMadePrivately(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policy"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "policy", "authz.rego"), faultyPolicy)
	server := exec.Command("sh", "-c", `umask 0 && exec verdict serve --bundle policy --data store --grpc "unix://$PWD/grpc" --http "unix://$PWD/http"`)
	server.Dir = dir
	awaitServing(t, server)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", server.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "\nUmask:\t0077\n") {
		t.Error("what a server makes that was started with umask 0 is not its owner's alone")
	}
}

// TestSocketsAreGivenAway has each of the two by itself, which takes root.
func TestSocketsAreGivenAway(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives a socket to another owner")
	}
	for name, tt := range map[string]struct {
		sockets  socketsConfig
		uid, gid uint32
	}{
		"to an owner": {socketsConfig{Mode: 0o600, Owner: "4711"}, 4711, uint32(os.Getegid())},
		"to a group":  {socketsConfig{Mode: 0o660, Group: "4712"}, 0, 4712},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			listener, err := openListener(unixPrefix+path, tt.sockets)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if of := info.Sys().(*syscall.Stat_t); of.Uid != tt.uid || of.Gid != tt.gid {
				t.Errorf("it is of %d:%d, want %d:%d", of.Uid, of.Gid, tt.uid, tt.gid)
			}
		})
	}
}

// TestSocketOfAServerThatDoesNotAnswer has one with as many connections before it as may
// wait, as before a process that is stopped.
func TestSocketOfAServerThatDoesNotAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	server, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(server)
	if err := errors.Join(syscall.Bind(server, &syscall.SockaddrUnix{Name: path}), syscall.Listen(server, 0)); err != nil {
		t.Fatal(err)
	}
	waiting, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := openListener(unixPrefix+path, defaultSockets())
	if err == nil {
		listener.Close()
	}
	if err == nil || !strings.Contains(err.Error(), path+" is in use by another process") {
		t.Errorf("the error is %v", err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the socket is another: %v", err)
	}
}

// A servingLine is the line of the log with which a server says where it listens.
type servingLine struct{ Msg, GRPC, HTTP string }

// awaitServing starts a server, which ends with the test.
func awaitServing(t *testing.T, server *exec.Cmd) (line servingLine) {
	t.Helper()
	server.SysProcAttr = dyingWithTest()
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for lines := bufio.NewScanner(log); line.Msg != "serving"; {
		if !lines.Scan() {
			t.Fatal("the server ended before it served")
		}
		_ = json.Unmarshal(lines.Bytes(), &line) // others have other members
	}
	return line
}

// listening is where a process can be reached, by the tables of the kernel.
func listening(t *testing.T, pid int) map[netip.AddrPort]bool {
	t.Helper()
	sockets := map[string]bool{}
	descriptors, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, descriptor := range descriptors {
		if target, err := os.Readlink(descriptor); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")] = true
		}
	}
	found := map[netip.AddrPort]bool{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if os.IsNotExist(err) { // a kernel without IPv6
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n")[1:] {
			const local, state, inode = 1, 3, 9
			const listens, bound = "0A", "07" // of TCP, of UDP
			if fields := strings.Fields(line); len(fields) > inode && sockets[fields[inode]] && (fields[state] == listens || fields[state] == bound) {
				found[addressIn(t, fields[local])] = true
			}
		}
	}
	return found
}

// addressIn is an address as the kernel's tables have it: words of 32 bits in the
// machine's order of bytes, which is taken to be little endian, and the port.
func addressIn(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	address, port, _ := strings.Cut(text, ":")
	octets, err := hex.DecodeString(address)
	if err != nil {
		t.Fatal(err)
	}
	for word := range slices.Chunk(octets, 4) {
		slices.Reverse(word)
	}
	ip, valid := netip.AddrFromSlice(octets)
	number, err := strconv.ParseUint(port, 16, 16)
	if !valid || err != nil {
		t.Fatalf("%q is no address: %v", text, err)
	}
	return netip.AddrPortFrom(ip, uint16(number))
}
