package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/verdictpdp/verdict/engine/server/authzen"
)

// speakFrom is speak from another peer.
func speakFrom(t *testing.T, local, address, text string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answerOn(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// TestRequestsOfAPeer has one peer have all requests under way that it may, whose bodies
// never come to their end.
func TestRequestsOfAPeer(t *testing.T) {
	cfg := defaultConfig()
	cfg.Limits.Intake.CallsPerPeer = 2
	s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	address := s.httpListener.Addr().String()
	before := measureFootprint()
	const head = "POST /access/v1/evaluation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
	var open []net.Conn
	for range 2 {
		conn := speakFrom(t, anotherPeer, address, head+"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n")
		// The server asks for the body of a request once it is under way.
		if asked := answerOn(t, conn); asked.StatusCode != http.StatusContinue {
			t.Fatalf("a request within the limit is answered %s", asked.Status)
		}
		open = append(open, conn)
	}
	refused := answerOn(t, speakFrom(t, anotherPeer, address, head+"Content-Length: 1\r\n\r\n{"))
	if refused.StatusCode != http.StatusTooManyRequests || refused.Header.Get("Retry-After") != "1" {
		t.Errorf("a request beyond the limit is answered %s, %v", refused.Status, refused.Header)
	}
	if health := answerOn(t, speakFrom(t, anotherPeer, address, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")); health.StatusCode != http.StatusOK {
		t.Errorf("the health is %s", health.Status)
	}
	if _, text, _ := askOver(t, http.DefaultClient, "http://"+address); !strings.Contains(text, `"decision":true`) {
		t.Errorf("another peer is answered %s", text)
	}
	http.DefaultClient.CloseIdleConnections()
	for _, conn := range open {
		conn.Close()
	}
	before.awaitReturn(t)
}

// TestHTTPHeaders sends headers that are large, and such as never end.
func TestHTTPHeaders(t *testing.T) {
	cfg := defaultConfig()
	cfg.Limits.Intake.Headers = minHeaders
	s, _ := startService(t, cfg, bundleAt("default", constantBundle(t)))
	address := s.httpListener.Addr().String()
	with := func(bytes int) string {
		head, tail := "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", "\r\n\r\n"
		note := "Note: "
		return head + note + strings.Repeat("x", bytes-len(head)-len(note)-len(tail)) + tail
	}
	const spare = 4096 // net/http has it beside
	if response := answerOn(t, speak(t, address, with(int(minHeaders)+spare))); response.StatusCode != http.StatusOK {
		t.Errorf("headers of the limit: %s", response.Status)
	}
	if response := answerOn(t, speak(t, address, with(int(minHeaders)+2*spare))); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("headers beyond: %s", response.Status)
	}
	skipShort(t)
	slow := speak(t, address, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nNote: ")
	start := time.Now()
	for { // a byte now and then helps nothing
		if _, err := fmt.Fprint(slow, "x"); err != nil {
			break
		}
		if time.Since(start) > authzen.DefaultMaxTime {
			t.Fatal("a header that never ends is waited for, as long as for a whole request")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// TestHTTP2 has a client of HTTP/2 do at the HTTP address what others do at that of gRPC.
func TestHTTP2(t *testing.T) {
	skipShort(t)
	authority := newAuthority(t)
	cfg := defaultConfig()
	cfg.TLS = authority.issue(t, t.TempDir(), 1)
	s, r := startService(t, cfg, bundleAt("default", constantBundle(t)))
	r.ca = authority.file
	over := authority.client()
	over.ServerName, over.NextProtos = "127.0.0.1", []string{"h2"}
	for name, flood := range map[string]func(*attacker) error{
		"of calls that are reset": func(a *attacker) error {
			return a.framer.WriteRSTStream(a.open("/access/v1/evaluation"), http2.ErrCodeCancel)
		},
		"of headers without end": func(a *attacker) error {
			if a.last == 0 {
				a.last = 1
				return a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.block("/access/v1/evaluation")})
			}
			return a.framer.WriteContinuation(1, false, bytes.Repeat([]byte{0x84}, 16<<10))
		},
		"of settings": func(a *attacker) error { return a.framer.WriteSettings() },
		"of pings":    func(a *attacker) error { return a.framer.WritePing(false, [8]byte{}) },
	} {
		t.Run(name, func(t *testing.T) {
			before := measureFootprint()
			stop := bystanding(t, r)
			a := attack(t, s.httpListener.Addr().String(), over).listen()
			for range 10_000 {
				if a.hasHeard(func() bool { return a.ended != nil || a.goAway != 0 }) || flood(a) != nil {
					break
				}
			}
			client := authority.httpClient(t, true)
			if _, text, _ := askOver(t, client, "https://"+s.httpListener.Addr().String()); !strings.Contains(text, `"decision":true`) {
				t.Errorf("another client is answered %s", text)
			}
			client.CloseIdleConnections()
			before.checkGrowth(t, 32<<20)
			stop()
			a.conn.Close()
			before.awaitReturn(t)
		})
	}
}
