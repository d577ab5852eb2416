package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// speak sends what a client says on a connection of its own, as it stands.
func speak(t *testing.T, address, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestAnswersHaveTheIDsOfTheirRequests asks for all that no endpoint answers, of a
// service that answers proxies as well.
func TestAnswersHaveTheIDsOfTheirRequests(t *testing.T) {
	s := startBehindProxies(t)
	ask := fmt.Sprintf("Host: localhost\r\nX-Request-ID: 4711\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(readPlan), readPlan)
	for _, tt := range []struct {
		name, line string
		want       int
	}{
		{"a decision", "POST /access/v1/evaluation HTTP/1.1", 200},
		{"a decision over HTTP/1.0", "POST /access/v1/evaluation HTTP/1.0", 200},
		{"options", "OPTIONS /access/v1/evaluation HTTP/1.1", 405},
		{"options of all", "OPTIONS * HTTP/1.1", 404},
		{"options of all over HTTP/1.0", "OPTIONS * HTTP/1.0", 404},
		{"a tunnel", "CONNECT localhost:443 HTTP/1.1", 404},
		{"a path with an empty segment", "POST //access/v1/evaluation HTTP/1.1", 404},
		{"a path with a dot segment", "POST /access/v1/./evaluation HTTP/1.1", 404},
		{"a path with a dot segment over HTTP/1.0", "POST /access/v1/./evaluation HTTP/1.0", 404},
		{"a proxy that does not tell", "GET /proxy/nginx HTTP/1.1", 403},
		{"a proxy of a tenant that does not tell", "GET /tenants/shop/proxy/forwarded HTTP/1.1", 400},
		{"no proxy", "GET /proxy/squid HTTP/1.1", 404},
		{"proxies", "GET /proxy HTTP/1.1", 404},
		{"proxies of a tenant", "GET /tenants/shop/proxy HTTP/1.1", 404},
		{"a proxy by a path with an empty segment", "GET /proxy//nginx HTTP/1.1", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := speak(t, s.httpListener.Addr().String(), tt.line+"\r\n"+ask)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if id := response.Header.Get("X-Request-ID"); response.StatusCode != tt.want || id != "4711" || response.Header.Get("Location") != "" {
				t.Errorf("%s: status %d, headers %v, want %d and the id 4711", strings.TrimSpace(tt.line), response.StatusCode, response.Header, tt.want)
			}
		})
	}
}

// TestRequestsUnderWayAreFinished ends a service while the body of a request is still
// coming.
func TestRequestsUnderWayAreFinished(t *testing.T) {
	header := fmt.Sprintf("POST /access/v1/evaluation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(readPlan))
	for _, tt := range []struct {
		name  string
		grace time.Duration
		ends  bool // whether the caller says all that there is to say
	}{
		{"which is sent to its end", time.Minute, true},
		{"but not one that lasts longer than the grace", 100 * time.Millisecond, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := defaultConfig()
			cfg.Shutdown.Grace = duration(tt.grace)
			s, end, ended := startEnding(t, cfg, bundleAt("default", constantBundle(t)))
			address := s.httpListener.Addr().String()
			conn := speak(t, address, header+readPlan[:10])
			// What is answered later shows that the request has arrived.
			askOver(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+address)
			end()
			for { // until nobody is let in any more
				other, err := net.Dial("tcp", address)
				if err != nil {
					break
				}
				other.Close()
			}
			if tt.ends {
				if _, err := fmt.Fprint(conn, readPlan[10:]); err != nil {
					t.Fatal(err)
				}
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if tt.ends {
				if err != nil {
					t.Fatal(err)
				}
				defer response.Body.Close()
				text, err := io.ReadAll(response.Body)
				if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(text), `"decision":true`) {
					t.Errorf("answered %s %s, %v, want an allow", response.Status, text, err)
				}
			} else if err == nil {
				t.Errorf("answered %s", response.Status)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(30 * time.Second):
				t.Error("the service has not ended within 30 s")
			}
		})
	}
}
