package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
)

// An httpCaller asks for decisions over HTTP/1.1, with a connection for each of the
// requests under way.
type httpCaller struct{ conns []*httpConn }

// An httpConn writes requests that are encoded beforehand, and reads of answers
// only what it takes to find their end. It connects when it is first used: servers
// do not wait long for a first request.
type httpConn struct {
	net.Conn
	in      *bufio.Reader
	address string
}

func newHTTPCaller(address string) *httpCaller {
	c := &httpCaller{}
	for range inFlight {
		c.conns = append(c.conns, &httpConn{address: address})
	}
	return c
}

func (c *httpCaller) close() {
	for _, conn := range c.conns {
		if conn.Conn != nil {
			conn.Close()
		}
	}
}

// with is a drive of a load's requests.
func (c *httpCaller) with(l load) drive {
	return driveOf(func(_ context.Context, worker, n int) error {
		_, err := c.conns[worker].call(l.messages[n%len(l.messages)])
		return err
	})
}

// call sends a request and returns the body of its answer, which is good until the
// next call.
func (c *httpConn) call(request []byte) ([]byte, error) {
	if c.Conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return nil, err
		}
		c.Conn, c.in = conn, bufio.NewReader(conn)
	}
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, err
	}
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(string(line))
		switch name, value, _ := strings.Cut(text, ": "); {
		case first && text != "HTTP/1.1 200 OK":
			c.Close()
			c.Conn = nil // what is left of the answer is nothing for the next call
			if text == "HTTP/1.1 429 Too Many Requests" {
				return nil, errRefused
			}
			return nil, fmt.Errorf("answered %s", text)
		case name == "Content-Length":
			if length, err = strconv.Atoi(value); err != nil {
				return nil, err
			}
		case text == "" && length < 0:
			return nil, errors.New("an answer without its length")
		case text == "":
			body, err := c.in.Peek(length)
			if err != nil {
				return nil, err
			}
			_, err = c.in.Discard(length)
			return body, err
		}
	}
}

// newHTTPLoad is the requests for single decisions as a tenant asks for them over
// AuthZEN.
func newHTTPLoad(tenant string) (load, error) {
	l := load{name: "AuthZEN evaluation over HTTP", decisions: 1}
	for i := range 5 * customers {
		body, err := json.Marshal(evaluationOf(request(tenant, i)))
		if err != nil {
			return load{}, err
		}
		l.messages = append(l.messages, fmt.Appendf(nil,
			"POST /tenants/%s/access/v1/evaluation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			tenant, len(body), body))
	}
	return l, nil
}

// An evaluationRequest is a request as AuthZEN has it.
type evaluationRequest struct {
	Subject  entity         `json:"subject"`
	Action   action         `json:"action"`
	Resource entity         `json:"resource"`
	Context  map[string]any `json:"context,omitempty"`
}

type entity struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Properties map[string]any `json:"properties,omitempty"`
}

type action struct {
	Name       string         `json:"name"`
	Properties map[string]any `json:"properties,omitempty"`
}

func evaluationOf(r *verdictv1.CheckAccessRequest) evaluationRequest {
	return evaluationRequest{
		Subject:  entity{Type: r.GetSubject().GetType(), ID: r.GetSubject().GetId()},
		Action:   action{Name: r.GetAction().GetName()},
		Resource: entity{Type: r.GetResource().GetType(), ID: r.GetResource().GetId()},
		Context:  r.GetContext().AsMap(),
	}
}

// An evaluationResponse is a decision as AuthZEN has it.
type evaluationResponse struct {
	Decision bool `json:"decision"`
	Context  struct {
		Reasons           []string       `json:"reasons,omitempty"`
		Obligations       map[string]any `json:"obligations,omitempty"`
		DecisionID        string         `json:"decision_id"`
		PolicyRevision    string         `json:"policy_revision"`
		DirectoryRevision uint64         `json:"directory_revision"`
		Error             any            `json:"error,omitempty"`
	} `json:"context"`
}

// askHTTP asks for every decision once, checks it, and returns the one whose size
// is next to the mean, for the echo to repeat.
func askHTTP(c *httpCaller, tenant string) (evaluationResponse, error) {
	l, err := newHTTPLoad(tenant)
	if err != nil {
		return evaluationResponse{}, err
	}
	var answers []evaluationResponse
	var sizes []int
	total := 0
	for i, message := range l.messages {
		body, err := c.conns[0].call(message)
		if err != nil {
			return evaluationResponse{}, err
		}
		var answer evaluationResponse
		if err := json.Unmarshal(body, &answer); err != nil {
			return evaluationResponse{}, err
		}
		if want := tenant == constant || wantAllowed(i); answer.Context.Error != nil || answer.Decision != want {
			return evaluationResponse{}, fmt.Errorf("request %d of tenant %s is answered %s", i, tenant, body)
		}
		answers, sizes = append(answers, answer), append(sizes, len(body))
		total += len(body)
	}
	best, mean := 0, total/len(sizes)
	for i, size := range sizes {
		if max(size-mean, mean-size) < max(sizes[best]-mean, mean-sizes[best]) {
			best = i
		}
	}
	return answers[best], nil
}

// echoHTTP answers every evaluation of a tenant alike, and at once: net/http and
// encoding/json as they come.
func echoHTTP(answers map[string]evaluationResponse) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /tenants/{tenant}/access/v1/evaluation", func(w http.ResponseWriter, r *http.Request) {
		var request evaluationRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answers[r.PathValue("tenant")])
	})
	return mux
}
