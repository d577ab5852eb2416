package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What clients of HTTP ask for and do not read. An answer is longer than what the system
// takes for a connection, so that the server has it.
const (
	answerParts = 1_000
	partBytes   = 8 << 10
	answerBytes = answerParts * partBytes
)

// longQuestion is a batch that is answered at length.
func longQuestion() string {
	return `{"subject":{"type":"user","id":"mina"},"action":{"name":"list"},"resource":{"type":"document","id":"plan"},"evaluations":[{}` +
		strings.Repeat(",{}", answerParts-1) + `]}`
}

// answeringAtLength serves with a policy that does so.
func answeringAtLength(t *testing.T, set func(*config)) (s *service, r *remote) {
	t.Helper()
	cfg := defaultConfig()
	cfg.Limits.Evaluation, cfg.Limits.Batch = duration(patience), duration(patience) // the machine may be busy
	set(&cfg)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "authz.rego"), fmt.Sprintf("package authz\n\nallow if input.action.name == \"read\"\n\nreasons contains %q if input.action.name == \"list\"\n", strings.Repeat("x", partBytes)))
	return startService(t, cfg, bundleAt("default", tenantConfig{Bundle: dir}))
}

// askAtLength asks on a new connection, without reading, once or again and again.
func askAtLength(t *testing.T, s *service, times int) net.Conn {
	t.Helper()
	question := longQuestion()
	text := fmt.Sprintf("POST /access/v1/evaluations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(question), question)
	return speakFrom(t, anotherPeer, s.httpListener.Addr().String(), strings.Repeat(text, times))
}

// askAtLength asks so many times on streams of a connection.
func (a *attacker) askAtLength(times int) {
	a.t.Helper()
	for range times {
		stream := a.open("/access/v1/evaluations", hpack.HeaderField{Name: "content-type", Value: "application/json"})
		if err := a.framer.WriteData(stream, true, []byte(longQuestion())); err != nil {
			a.t.Fatal(err)
		}
	}
}

// isClosed reports whether nothing more can be said on a connection of HTTP/1.1.
func isClosed(conn net.Conn) bool {
	_, err := conn.Write([]byte("\r\n")) // which says nothing between requests
	return err != nil
}

// askingOverHTTP has another peer ask over HTTP until it is stopped, and be answered.
func askingOverHTTP(t *testing.T, client *http.Client, base string) (stop func()) {
	t.Helper()
	ask := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/access/v1/evaluation", strings.NewReader(readPlan))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusTooManyRequests && !strings.Contains(string(text), `"decision":true`) {
			err = fmt.Errorf("%s: %s", response.Status, text)
		}
		return err
	}
	stopping := make(chan struct{})
	var asking sync.WaitGroup
	asking.Go(func() {
		defer client.CloseIdleConnections()
		for t.Context().Err() == nil {
			start := time.Now()
			if err := ask(); err != nil && t.Context().Err() == nil {
				t.Errorf("a bystander is answered %v", err)
			}
			if took := time.Since(start); took > patience/2 {
				t.Errorf("a bystander was held up for %v", took)
			}
			select {
			case <-stopping:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	})
	return func() {
		close(stopping)
		asking.Wait()
	}
}

// TestHTTPAnswersThatAreNotTaken asks over HTTP and takes nothing of the answers, in each
// of the ways that there are.
func TestHTTPAnswersThatAreNotTaken(t *testing.T) {
	skipShort(t)
	authority := newAuthority(t)
	const soon = 10 * time.Second
	plain, r := answeringAtLength(t, asItIs)
	secured, _ := answeringAtLength(t, func(cfg *config) {
		cfg.TLS, cfg.Limits.Intake.Transfer = authority.issue(t, t.TempDir(), 1), duration(soon)
	})
	for _, s := range []*service{plain, secured} {
		if s.http.WriteTimeout != 30*time.Second {
			t.Errorf("an answer may take %s, expected 30 s", s.http.WriteTimeout)
		}
		s.http.WriteTimeout = soon // before anybody asks
	}
	over := authority.client()
	over.ServerName, over.NextProtos = "127.0.0.1", []string{"h2"}
	before := measureFootprint()
	stop := bystanding(t, r)
	stopHTTP := askingOverHTTP(t, &http.Client{Transport: &http.Transport{}}, "http://"+plain.httpListener.Addr().String())
	stopHTTPS := askingOverHTTP(t, authority.httpClient(t, true), "https://"+secured.httpListener.Addr().String())

	start := time.Now()
	var conns []net.Conn
	for range 5 {
		conns = append(conns, askAtLength(t, plain, 8))
	}
	windowless := attack(t, secured.httpListener.Addr().String(), over, noWindow).listen()
	const calls = 5
	windowless.askAtLength(calls)
	deaf := attack(t, secured.httpListener.Addr().String(), over, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	if err := deaf.framer.WriteWindowUpdate(0, 1<<30); err != nil {
		t.Fatal(err)
	}
	deaf.askAtLength(calls)

	windowless.await("the streams without a window are reset", func() bool { return len(windowless.resets) == calls })
	t.Logf("streams without a window were reset after %v", time.Since(start))
	awaitClosed := func(what string, isClosed func() bool) {
		for end := time.Now().Add(patience); !isClosed(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s is not closed", what)
			}
		}
	}
	awaitClosed("a connection of HTTP/2 on which nothing is read", func() bool { return deaf.framer.WritePing(true, [8]byte{}) != nil })
	for _, conn := range conns {
		awaitClosed("a connection of HTTP/1.1 on which nothing is read", func() bool { return isClosed(conn) })
	}
	t.Logf("connections were closed after %v", time.Since(start))
	windowless.conn.Close()
	stop()
	stopHTTP()
	stopHTTPS()
	before.awaitReturn(t)
}

// TestHTTPAnswersInFlight asks for so much over HTTP that it is too much all together,
// long before any answer has to be taken.
func TestHTTPAnswersInFlight(t *testing.T) {
	skipShort(t)
	const (
		calls = 20
		stay  = int(maxInput) / answerBytes
		most  = 3 * int(maxInput) // 3 bytes for each that is counted
		spare = 24 << 20          // and the answers that are being written, one a processor
	)
	few := func(cfg *config) { cfg.Limits.Intake.InFlight = maxInput }
	authority := newAuthority(t)
	over := authority.client()
	over.ServerName, over.NextProtos = "127.0.0.1", []string{"h2"}
	for name, way := range map[string]struct {
		set func(*config)
		ask func(t *testing.T, s *service) (awaitRefusals, end func())
	}{
		"HTTP/1.1": {few, func(t *testing.T, s *service) (awaitRefusals, end func()) {
			var conns []net.Conn
			for range calls {
				conns = append(conns, askAtLength(t, s, 1))
			}
			awaitRefusals = func() {
				for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
					closed := 0
					for _, conn := range conns {
						if isClosed(conn) {
							closed++
						}
					}
					if closed >= calls-stay {
						return
					}
					if time.Since(start) > patience {
						t.Fatalf("%d of %d connections are closed, want all but %d", closed, calls, stay)
					}
				}
			}
			return awaitRefusals, func() {
				for _, conn := range conns {
					conn.Close()
				}
			}
		}},
		"HTTP/2": {func(cfg *config) { few(cfg); cfg.TLS = authority.issue(t, t.TempDir(), 1) }, func(t *testing.T, s *service) (awaitRefusals, end func()) {
			a := attack(t, s.httpListener.Addr().String(), over, noWindow).listen()
			a.askAtLength(calls)
			return func() {
				a.await("those that hold too much are reset", func() bool { return len(a.resets) >= calls-stay })
			}, func() { a.conn.Close() }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := answeringAtLength(t, way.set)
			if s.config.TLS.on() {
				r.ca = authority.file
			}
			before := measureFootprint()
			stop := bystanding(t, r)
			awaitRefusals, end := way.ask(t, s)
			awaitRefusals()
			before.awaitGrowth(t, uint64(most+spare))
			end()
			stop()
			before.awaitReturn(t)
		})
	}
}
