package grpcapi

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/verdictpdp/verdict/engine/admission"
)

// TestWhoSendsMuchIsReadPieceByPiece sends some before it is read, in both forms of
// sockets, wrapped as a server's are.
func TestWhoSendsMuchIsReadPieceByPiece(t *testing.T) {
	tests := map[string]struct {
		bytes   int
		streams bool
		waits   int
	}{
		"less than a piece":       {bytes: admission.PieceBytes - 1},
		"a piece":                 {bytes: admission.PieceBytes},
		"a byte more":             {bytes: admission.PieceBytes + 1, waits: 1},
		"a large message":         {bytes: admission.PieceBytes + admission.MaxPieceBytes, waits: 1},
		"one that is a byte more": {bytes: admission.PieceBytes + admission.MaxPieceBytes + 1, waits: 2},
		"ten pieces of a stream":  {bytes: 10 * admission.PieceBytes, streams: true, waits: 9},
	}
	for _, network := range []string{"tcp", "unix"} {
		for name, tt := range tests {
			t.Run(network+": "+name, func(t *testing.T) {
				waits := 0
				e := entrance{door: busyDoor(func() int { waits++; return 1 })}
				address := map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "socket")}[network]
				below, err := net.Listen(network, address)
				if err != nil {
					t.Fatal(err)
				}
				listener := e.listen(wrapping{below})
				defer listener.Close()
				client, err := net.Dial(network, below.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				sent := bytes.Repeat([]byte("x"), tt.bytes)
				if _, err := client.Write(sent); err != nil {
					t.Fatal(err)
				}
				server, err := listener.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer server.Close()
				server.(*connection).line.Begin(tt.streams)
				read := make([]byte, tt.bytes)
				if _, err := io.ReadFull(server, read); err != nil || !bytes.Equal(read, sent) {
					t.Fatalf("what was read is not what was sent, %v", err)
				}
				if waits != tt.waits {
					t.Errorf("the others were let go first %d times, want %d", waits, tt.waits)
				}
			})
		}
	}
}

// TestWhoSendsMuchOverTLSIsReadPieceByPiece has records of more than a piece, of which TLS
// asks for the header and for the rest, in reads of its own sizes.
func TestWhoSendsMuchOverTLSIsReadPieceByPiece(t *testing.T) {
	const pieces = 32
	waits := 0
	e := entrance{door: busyDoor(func() int { waits++; return 1 })}
	below, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, trusted := newCertificate(t)
	listener := tls.NewListener(e.listen(below), &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS13})
	defer listener.Close()
	raw, err := net.Dial("tcp", below.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	sent := bytes.Repeat([]byte("x"), pieces*admission.PieceBytes)
	written := make(chan error, 1)
	go func() {
		client := tls.Client(raw, &tls.Config{RootCAs: trusted, ServerName: "example.com"})
		_, err := client.Write(sent)
		written <- err
	}()
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.(*tls.Conn).Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil { // all of it, before more is read
		t.Fatal(err)
	}
	server.(*tls.Conn).NetConn().(*connection).line.Begin(true)
	waits = 0
	read := make([]byte, len(sent))
	if _, err := io.ReadFull(server, read); err != nil || !bytes.Equal(read, sent) {
		t.Fatalf("what was read is not what was sent, %v", err)
	}
	if waits < pieces/2 || waits > pieces {
		t.Errorf("the others were let go first %d times for %d pieces", waits, pieces)
	}
}

// busyDoor is one with as many calls under way as keep the processors busy.
func busyDoor(idle func() (turns int)) *admission.Door {
	door := admission.NewDoor(admission.DoorOptions{Idle: idle})
	for range 64 * runtime.GOMAXPROCS(0) {
		_, _ = door.Arrive(nil, false)
	}
	return door
}

// A wrapping is a listener whose connections are wrapped.
type wrapping struct{ net.Listener }

type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

func (w wrapping) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	return wrapped{conn}, err
}
