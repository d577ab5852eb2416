package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/verdictpdp/verdict/api/authz"
)

// Limits of what a policy tells a proxy. An allow beyond is denied, and a deny
// beyond comes without.
const (
	MaxAnswerHeaders     = 64       // headers of an answer, each name once
	MaxAnswerHeaderBytes = 16 << 10 // bytes of all of those
	MaxBodyBytes         = 64 << 10 // bytes of a body
)

// obligations are what a policy has a proxy do.
type obligations struct {
	headers     []Header // sorted by name
	status      int      // 0 for none
	body        []byte   // nil for none
	contentType string
}

// obligationsOf reads a decision's obligations. The error says which cannot be met;
// there are none then. What else a deny obliges to is not the proxy's matter.
func obligationsOf(decision *authz.Decision) (obligations, error) {
	if decision.Err != nil {
		return obligations{}, nil
	}
	if decision.Allowed {
		for name := range decision.Obligations {
			if name != "http" {
				return obligations{}, authz.Errorf(authz.Evaluation,
					"obligation %s: a proxy cannot meet it, so that the allow is none; tell the backend by a header, in obligations.http.headers", authz.Quote(name))
			}
		}
	}
	value, are := decision.Obligations["http"]
	if !are {
		return obligations{}, nil
	}
	o, err := readObligations(value)
	if err != nil {
		return obligations{}, authz.Errorf(authz.Evaluation, "obligation http: %w", err)
	}
	return o, nil
}

func readObligations(value any) (o obligations, err error) {
	object, is := value.(authz.Object)
	if !is {
		return obligations{}, fmt.Errorf("it is no object")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		switch name {
		case "headers":
			o.headers, err = headersOf(object[name])
		case "status":
			o.status, err = statusOf(object[name])
		case "body":
			o.body, o.contentType, err = bodyOf(object[name])
		default:
			err = fmt.Errorf("it has the member %s: expected none but headers, status and body", authz.Quote(name))
		}
		if err != nil {
			return obligations{}, err
		}
	}
	return o, nil
}

func headersOf(value any) ([]Header, error) {
	object, is := value.(authz.Object)
	if !is {
		return nil, fmt.Errorf("headers are no object")
	}
	if len(object) > MaxAnswerHeaders {
		return nil, fmt.Errorf("there are %d headers: at most %d are allowed", len(object), MaxAnswerHeaders)
	}
	headers, size := make([]Header, 0, len(object)+1), 0
	for _, sent := range slices.Sorted(maps.Keys(object)) {
		name := strings.ToLower(sent)
		switch {
		case !isToken(name):
			return nil, fmt.Errorf("%s is no name of a header", authz.Quote(sent))
		case framing[name]:
			return nil, fmt.Errorf("the header %s is the proxy's own", name)
		case len(headers) > 0 && slices.ContainsFunc(headers, func(h Header) bool { return h.Name == name }):
			return nil, fmt.Errorf("the header %s stands twice", name)
		}
		values, err := valuesOf(object[sent])
		if err != nil {
			return nil, fmt.Errorf("the header %s: %w", name, err)
		}
		for _, v := range values {
			size += len(name) + len(v)
		}
		headers = append(headers, Header{name, values})
	}
	if size > MaxAnswerHeaderBytes {
		return nil, fmt.Errorf("headers have %d bytes: at most %d are allowed", size, MaxAnswerHeaderBytes)
	}
	return headers, nil
}

// framing are the headers by which a message is delivered. None of them is the
// policy's, nor is what names the decision.
var framing = map[string]bool{
	"connection": true, "content-length": true, "host": true, "keep-alive": true, "proxy-connection": true,
	"te": true, "trailer": true, "transfer-encoding": true, "upgrade": true, DecisionHeader: true,
}

// valuesOf are one value or a list of them.
func valuesOf(value any) ([]string, error) {
	many, is := value.([]any)
	if !is {
		many = []any{value}
	}
	if len(many) == 0 {
		return nil, fmt.Errorf("there is no value in its list")
	}
	values := make([]string, len(many))
	for i, one := range many {
		switch one := one.(type) {
		case string:
			values[i] = one
		case json.Number:
			values[i] = one.String()
		case bool:
			values[i] = strconv.FormatBool(one)
		default:
			return nil, fmt.Errorf("a value is no text, number or boolean")
		}
		if !isFieldValue(values[i]) {
			return nil, fmt.Errorf("a value has a character outside printable ASCII, or a space at an end: encode it")
		}
	}
	return values, nil
}

// isFieldValue reports whether a text is a header's value that every server reads
// as it is.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

// statusOf is the status of a denial. None of those that let a request go on is one,
// nor is 304, which would have a client take what it knows.
func statusOf(value any) (int, error) {
	number, is := value.(json.Number)
	status, err := strconv.Atoi(number.String())
	if !is || err != nil || status < http.StatusMultipleChoices || status > 599 || status == http.StatusNotModified || http.StatusText(status) == "" {
		return 0, fmt.Errorf("the status is %v: expected one that HTTP knows, from 300 to 599, such as 401 or 429", value)
	}
	return status, nil
}

func bodyOf(value any) (body []byte, contentType string, err error) {
	text, is := value.(string)
	body, contentType = []byte(text), "text/plain; charset=utf-8"
	if !is {
		contentType = "application/json"
		if body, err = json.Marshal(value); err != nil {
			return nil, "", fmt.Errorf("the body cannot be written as JSON: %w", err)
		}
	}
	if len(body) > MaxBodyBytes {
		return nil, "", fmt.Errorf("the body has %d bytes: at most %d are allowed", len(body), MaxBodyBytes)
	}
	return body, contentType, nil
}
