package mapping

import (
	"encoding/json"
	"net/http"
	"slices"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
)

// The statuses of answers that the policy does not choose itself.
const (
	statusRefused     = http.StatusBadRequest
	statusNoSubject   = http.StatusUnauthorized
	statusDenied      = http.StatusForbidden
	statusUnavailable = http.StatusServiceUnavailable
)

// DecisionHeader holds the decision's id: on an allow, for the backend; on a deny,
// for whoever is denied and asks why.
const DecisionHeader = "x-verdict-decision-id"

// challenge is what a 401 must come with (RFC 9110, section 15.5.2).
var challenge = Header{"www-authenticate", []string{`Bearer realm="verdict"`}}

// An Answer is what a proxy is told.
type Answer struct {
	// Status is 200 where the request may go on, and otherwise the status of the
	// response, from 300 on.
	Status int
	// Headers are set, on the request to the backend where it may go on, and
	// otherwise on the response. They take the place of any others of their names.
	Headers []Header
	// Body is the response's, with its type in Headers; empty where the request may
	// go on.
	Body []byte
}

// A Header is a header's name, in small letters, and its values.
type Header struct {
	Name   string
	Values []string
}

// Allowed reports whether the request may go on.
func (a *Answer) Allowed() bool { return a.Status == http.StatusOK }

// Sets reports whether a header, by its name in small letters, is among the answer's.
func (a *Answer) Sets(name string) bool {
	return slices.ContainsFunc(a.Headers, func(h Header) bool { return h.Name == name })
}

// denialBody is the body where the policy brings none.
type denialBody struct {
	Status     int      `json:"status"`
	Message    string   `json:"message"`
	Reasons    []string `json:"reasons,omitempty"`
	DecisionID string   `json:"decision_id,omitempty"`
}

// denial denies without a decision.
func denial(status int, message string) Answer {
	return deny(denialBody{Status: status, Message: message})
}

func deny(body denialBody) Answer {
	text, err := json.Marshal(body)
	if err != nil { // which texts and numbers do not come to
		text = nil
	}
	a := Answer{Status: body.Status, Body: text, Headers: []Header{{"content-type", []string{"application/json"}}}}
	if body.Status == statusNoSubject {
		a.Headers = append(a.Headers, challenge)
	}
	return a
}

// conclude is the answer that a decision comes to.
func (m *Mapper) conclude(tenant string, decision *authz.Decision) Answer {
	obligations, err := obligationsOf(decision)
	if err != nil {
		m.Logger.Warn("the obligations of a decision cannot be met by a proxy",
			zap.String("id", decision.ID), zap.String("tenant", tenant), zap.Bool("allowed", decision.Allowed), zap.Error(err))
	}
	named := Header{DecisionHeader, []string{decision.ID}}
	if decision.Allowed && decision.Err == nil && err == nil {
		return Answer{Status: http.StatusOK, Headers: append(obligations.headers, named)}
	}
	body := denialBody{Status: statusDenied, Message: "the policy does not allow this", Reasons: decision.Reasons, DecisionID: decision.ID}
	if decision.Err != nil || decision.Allowed {
		body.Message = "the request could not be decided"
	}
	if obligations.status != 0 {
		body.Status = obligations.status
	}
	a := deny(body)
	if obligations.body != nil {
		a.Body = obligations.body
		a.set(Header{"content-type", []string{obligations.contentType}})
	}
	for _, h := range obligations.headers {
		a.set(h)
	}
	a.set(named)
	return a
}

// set puts a header in the place of any other of its name.
func (a *Answer) set(h Header) {
	for i := range a.Headers {
		if a.Headers[i].Name == h.Name {
			a.Headers[i] = h
			return
		}
	}
	a.Headers = append(a.Headers, h)
}
