package authzen

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/pdp"
)

func TestBodyLimitsFollowTheInputLimit(t *testing.T) {
	const kib, mib = 1 << 10, 1 << 20
	tests := []struct {
		name               string
		input              int
		wantOne, wantBatch int64
	}{
		{"a small input", kib, 65 * kib, 16 * 65 * kib},
		{"the default", pdp.DefaultInputBytes, mib + 64*kib, 16 * mib},
		{"an input larger than a message over gRPC", 64 * mib, 64*mib + 64*kib, 64*mib + 64*kib},
		{"an input without end", math.MaxInt32, math.MaxInt32 + 64*kib, math.MaxInt32 + 64*kib},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if one, batch := bodyLimits(tt.input); one != tt.wantOne || batch != tt.wantBatch {
				t.Errorf("limits = %d and %d, want %d and %d", one, batch, tt.wantOne, tt.wantBatch)
			}
		})
	}
}

func TestBodyAtTheLimit(t *testing.T) {
	const input = 1 << 10
	one, batch := bodyLimits(input)
	handler := newOpen(Options{Decider: allowReads, Logger: zap.NewNop(), MaxInputBytes: input})
	for path, limit := range map[string]int64{"/access/v1/evaluation": one, "/tenants/blue/access/v1/evaluations": batch} {
		body := readRecord + strings.Repeat(" ", int(limit)-len(readRecord))
		if response := post(t, handler, path, body); response.Code != http.StatusOK {
			t.Errorf("%s: a body of the limit: status %d, %s", path, response.Code, response.Body)
		}
		response := post(t, handler, path, body+" ")
		if failed := failureIn(t, response); response.Code != http.StatusRequestEntityTooLarge || !strings.Contains(failed.Message, fmt.Sprint(limit)) {
			t.Errorf("%s: a body one byte over the limit: %d %+v, want 413 naming the limit", path, response.Code, failed)
		}
	}
}

// TestBodyThatComesInPieces sends bodies whose length is not known, a byte at a time.
func TestBodyThatComesInPieces(t *testing.T) {
	const input = 1 << 10
	limit, _ := bodyLimits(input)
	handler := newOpen(Options{Decider: allowReads, Logger: zap.NewNop(), MaxInputBytes: input})
	ask := func(body io.Reader) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodPost, evaluationPath, body)
		request.ContentLength = -1
		request.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response
	}
	body := readRecord + strings.Repeat(" ", int(limit)-len(readRecord))
	if response := ask(iotest.OneByteReader(strings.NewReader(body))); response.Code != http.StatusOK {
		t.Errorf("a body of the limit: status %d, %s", response.Code, response.Body)
	}
	if response := ask(iotest.OneByteReader(strings.NewReader(body + " "))); response.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body one byte over the limit: status %d, want 413", response.Code)
	}
	broken := io.MultiReader(strings.NewReader(readRecord), iotest.ErrReader(errors.New("cut off")))
	if failed := failureIn(t, ask(broken)); failed.Status != http.StatusBadRequest || !strings.Contains(failed.Message, "could not be read to its end: cut off") {
		t.Errorf("a body that is cut off: %+v, want 400", failed)
	}
}

// TestWhatIsTooLargeIsNotRead holds that a body is refused by what its header says.
func TestWhatIsTooLargeIsNotRead(t *testing.T) {
	request := httptest.NewRequest(http.MethodPost, evaluationPath, iotest.ErrReader(errors.New("it was read")))
	request.ContentLength = 1 << 40
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	newHandler(allowReads).ServeHTTP(response, request)
	if response.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status = %d, want 413: %s", response.Code, response.Body)
	}
}

// TestRequestsKeepToThemselves asks about many subjects at a time, over HTTP, and
// holds that each answer is about its own.
func TestRequestsKeepToThemselves(t *testing.T) {
	server := httptest.NewServer(newHandler(decideFunc(func(request *authz.Request) (authz.Decision, error) {
		return authz.Decision{Reasons: []string{request.Subject.ID, fmt.Sprint(request.Context["n"])}}, nil
	})))
	defer server.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 50 {
				id := strings.Repeat(fmt.Sprintf("%d.", i), 1+97*j)
				body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"read"},"resource":{"type":"record","id":"1"},"context":{"n":%d}}`, id, j)
				response, err := http.Post(server.URL+evaluationPath, "application/json", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				var answer struct{ Context struct{ Reasons []string } }
				err = json.NewDecoder(response.Body).Decode(&answer)
				response.Body.Close()
				if want := []string{id, fmt.Sprint(j)}; err != nil || !slices.Equal(answer.Context.Reasons, want) {
					t.Errorf("answered %q, %v, want %q", answer.Context.Reasons, err, want)
				}
			}
		})
	}
	all.Wait()
}

func TestContentType(t *testing.T) {
	tests := []struct {
		name  string
		types []string
		want  int
	}{
		{"as it is meant", []string{"application/json"}, 200},
		{"in other letters, with a charset", []string{`Application/JSON ;charset="UTF-8"`}, 200},
		{"with a parameter that means nothing", []string{"application/json; profile=x"}, 200},
		{"with a semicolon behind it", []string{"application/json;"}, 200},
		{"none", nil, 400},
		{"an empty one", []string{""}, 400},
		{"another charset", []string{"application/json; charset=latin1"}, 400},
		{"a charset twice", []string{"application/json; charset=utf-8; charset=latin1"}, 400},
		{"a kind of JSON", []string{"application/problem+json"}, 400},
		{"two in one", []string{"application/json, text/plain"}, 400},
		{"two", []string{"application/json", "text/plain"}, 400},
		{"the same twice", []string{"application/json", "application/json"}, 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, "/access/v1/evaluation", strings.NewReader(readRecord))
			request.Header["Content-Type"] = tt.types
			response := httptest.NewRecorder()
			newHandler(allowReads).ServeHTTP(response, request)
			if response.Code != tt.want {
				t.Errorf("status = %d, want %d: %s", response.Code, tt.want, response.Body)
			}
		})
	}
}

func TestContentEncoding(t *testing.T) {
	tests := []struct {
		name      string
		encodings []string
		want      int
	}{
		{"none", nil, 200},
		{"identity, which is none", []string{"Identity"}, 200},
		{"gzip", []string{"gzip"}, 415},
		{"two", []string{"identity", "br"}, 415},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(http.MethodPost, "/access/v1/evaluation", strings.NewReader(readRecord))
			request.Header.Set("Content-Type", "application/json")
			request.Header["Content-Encoding"] = tt.encodings
			response := httptest.NewRecorder()
			newHandler(allowReads).ServeHTTP(response, request)
			if response.Code != tt.want {
				t.Fatalf("status = %d, want %d: %s", response.Code, tt.want, response.Body)
			}
			if tt.want == 200 {
				return
			}
			if failed := failureIn(t, response); failed.Status != tt.want || failed.Kind != "invalid" || !strings.Contains(failed.Message, "Content-Encoding") {
				t.Errorf("error = %+v, want status %d, kind invalid, naming the Content-Encoding", failed, tt.want)
			}
		})
	}
}

// A waitingDecider decides when its caller has gone.
type waitingDecider struct{}

func (waitingDecider) Decide(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
	<-ctx.Done()
	return authz.Decision{}, authz.Errorf(authz.KindOf(ctx.Err()), "no decision was made: %w", ctx.Err())
}

func (d waitingDecider) DecideBatch(ctx context.Context, batch pdp.Batch) ([]authz.Decision, error) {
	_, err := d.Decide(ctx, batch.Requests[0], pdp.DecideOptions{})
	return nil, err
}

func TestRequestThatTakesTooLong(t *testing.T) {
	handler := newOpen(Options{Decider: waitingDecider{}, Logger: zap.NewNop(), MaxTime: time.Millisecond})
	for path, body := range map[string]string{
		"/access/v1/evaluation":  readRecord,
		"/access/v1/evaluations": `{"evaluations":[` + readRecord + `]}`,
	} {
		response := post(t, handler, path, body)
		failed := failureIn(t, response)
		if response.Code != http.StatusGatewayTimeout || failed.Kind != "deadline_exceeded" || !strings.Contains(failed.Message, "longer than 1ms") {
			t.Errorf("%s: %d %+v, want 504 naming the time", path, response.Code, failed)
		}
	}
}

func TestBodiesWaitForEachOther(t *testing.T) {
	const input = 1 << 10
	started, release := make(chan struct{}, maxBatches+1), make(chan struct{})
	handler := newOpen(Options{
		Decider: decideFunc(func(*authz.Request) (authz.Decision, error) {
			started <- struct{}{}
			<-release
			return authz.Decision{Allowed: true}, nil
		}),
		Logger:        zap.NewNop(),
		MaxInputBytes: input,
	})
	_, batch := bodyLimits(input)
	largest := readRecord + strings.Repeat(" ", int(batch)-len(readRecord))
	var under sync.WaitGroup
	for range maxBatches {
		under.Go(func() { post(t, handler, "/access/v1/evaluations", largest) })
		<-started
	}

	atTheLimit := readRecord + strings.Repeat(" ", smallBytes-len(readRecord))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/access/v1/evaluation", strings.NewReader(atTheLimit+" "))
	request.Header.Set("Content-Type", "application/json")
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, request)
	if response.Code != http.StatusGatewayTimeout || len(started) > 0 {
		t.Errorf("a request over the limit: status %d, %d decided, want 504 and none", response.Code, len(started))
	}
	under.Go(func() {
		if response := post(t, handler, "/access/v1/evaluation", atTheLimit); response.Code != http.StatusOK {
			t.Errorf("a small request: status %d, want 200", response.Code)
		}
	})
	<-started
	close(release)
	under.Wait()
	if response := post(t, handler, "/access/v1/evaluations", largest); response.Code != http.StatusOK {
		t.Errorf("one of the largest after the others: status %d, want 200", response.Code)
	}
}

// TestLargeBodiesThatComeSlowly sends as many large bodies as are received at a time,
// all but their ends.
func TestLargeBodiesThatComeSlowly(t *testing.T) {
	const input = 1 << 10
	handler := newOpen(Options{Decider: allowReads, Logger: zap.NewNop(), MaxInputBytes: input})
	ask := func(ctx context.Context, length int64, body io.Reader) *httptest.ResponseRecorder {
		request := httptest.NewRequestWithContext(ctx, http.MethodPost, evaluationsPath, body)
		request.ContentLength = length
		request.Header.Set("Content-Type", "application/json")
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		return response
	}
	_, limit := bodyLimits(input)
	begin := strings.Repeat(" ", maxKeptBytes+1)
	var under sync.WaitGroup
	var ends []*io.PipeWriter
	for i := range maxReceived {
		body, end := io.Pipe()
		length := int64(-1) // as large as may be
		if i%2 == 0 {
			length = limit
		}
		under.Go(func() {
			if response := ask(t.Context(), length, body); response.Code != http.StatusOK {
				t.Errorf("a large body: status %d, %s", response.Code, response.Body)
			}
		})
		if _, err := io.WriteString(end, begin); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	for _, length := range []int64{-1, int64(len(begin) + len(readRecord))} {
		if response := ask(ctx, length, strings.NewReader(begin+readRecord)); response.Code != http.StatusGatewayTimeout {
			t.Errorf("one large body more, of length %d: status %d, want 504", length, response.Code)
		}
	}
	if response := ask(t.Context(), -1, strings.NewReader(readRecord)); response.Code != http.StatusOK {
		t.Errorf("a small body beside them: status %d, want 200", response.Code)
	}
	for _, end := range ends {
		if _, err := io.WriteString(end, readRecord); err != nil {
			t.Error(err)
		}
		end.Close()
	}
	under.Wait()
	if response := ask(t.Context(), -1, strings.NewReader(begin+readRecord)); response.Code != http.StatusOK {
		t.Errorf("a large body after them: status %d, want 200", response.Code)
	}
}

// TestCallerThatLeaves holds that nothing is decided any more for one who does not
// wait for it.
func TestCallerThatLeaves(t *testing.T) {
	started, ended := make(chan struct{}), make(chan error)
	server := httptest.NewUnstartedServer(newOpen(Options{Logger: zap.NewNop(), MaxTime: time.Hour, Decider: leavingDecider{started, ended}}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, two := range []bool{false, true} {
		var protocols http.Protocols
		protocols.SetHTTP1(!two)
		protocols.SetHTTP2(two)
		trusted := x509.NewCertPool()
		trusted.AddCert(server.Certificate())
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, Protocols: &protocols}
		defer transport.CloseIdleConnections()
		for path, body := range map[string]string{evaluationPath: readRecord, evaluationsPath: `{"evaluations":[` + readRecord + `]}`} {
			ctx, leave := context.WithCancel(t.Context())
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/json")
			gone := make(chan error, 1)
			go func() {
				_, err := transport.RoundTrip(request)
				gone <- err
			}()
			select {
			case <-started:
			case err := <-gone:
				t.Fatal(err)
			}
			leave()
			select {
			case err := <-ended:
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s, HTTP/2 %v: the evaluation ended with %v", path, two, err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("%s, HTTP/2 %v: the evaluation has not ended within a minute", path, two)
			}
			if err := <-gone; err == nil {
				t.Error("the caller was answered")
			}
		}
	}
}

// A leavingDecider tells when it starts, and with what the context ends.
type leavingDecider struct {
	started chan<- struct{}
	ended   chan<- error
}

func (d leavingDecider) Decide(ctx context.Context, _ *authz.Request, _ pdp.DecideOptions) (authz.Decision, error) {
	d.started <- struct{}{}
	<-ctx.Done()
	d.ended <- ctx.Err()
	return authz.Decision{}, ctx.Err()
}

func (d leavingDecider) DecideBatch(ctx context.Context, _ pdp.Batch) ([]authz.Decision, error) {
	_, err := d.Decide(ctx, nil, pdp.DecideOptions{})
	return nil, err
}

// TestBodyThatTakesTooLong sends a body that does not come to its end before the
// server stops to read.
func TestBodyThatTakesTooLong(t *testing.T) {
	server := httptest.NewUnstartedServer(newOpen(Options{Decider: allowReads, Logger: zap.NewNop(), MaxTime: time.Nanosecond}))
	server.Config.ReadHeaderTimeout = time.Minute
	server.Config.ReadTimeout = 10 * time.Millisecond
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var failed failure
	if err := json.NewDecoder(response.Body).Decode(&failed); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusGatewayTimeout || failed.Error.Kind != "deadline_exceeded" {
		t.Errorf("%d %+v, want 504", response.StatusCode, failed)
	}
}
