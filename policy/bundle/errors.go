package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/verdictpdp/verdict/api/authz"
)

// Invalid makes the findings of OPA's parser or compiler one error of kind
// Invalid, with a violation for each whose field is file:line.
func Invalid(err error) error {
	var found ast.Errors
	if !errors.As(err, &found) {
		var one *ast.Error
		if !errors.As(err, &one) {
			return authz.Errorf(authz.Invalid, "%w", err)
		}
		found = ast.Errors{one}
	}
	errs := make([]error, 0, len(found))
	for _, e := range found {
		errs = append(errs, authz.InvalidField(Location(e.Location), "%s", describe(e)))
	}
	return authz.JoinInvalid(errs)
}

// describe is the message and its details in one line: what was expected and
// found, or the line of source that could not be parsed.
func describe(e *ast.Error) string {
	if e.Details == nil {
		return e.Message
	}
	var details []string
	for _, line := range e.Details.Lines() {
		if line = strings.TrimSpace(line); strings.Trim(line, "^") != "" {
			details = append(details, cut(line))
		}
	}
	if len(details) == 0 {
		return e.Message
	}
	return e.Message + " (" + strings.Join(details, "; ") + ")"
}

// maxDetail is how many bytes of a line of details an error repeats.
const maxDetail = 160

func cut(line string) string {
	if len(line) <= maxDetail {
		return line
	}
	return strings.ToValidUTF8(line[:maxDetail], "") + "…"
}

// Location is a place in a module as file:line; empty where there is none.
func Location(l *ast.Location) string {
	if l == nil || l.File == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", l.File, l.Row)
}

// lineOf is the line of raw that an error of encoding/json points at.
func lineOf(raw []byte, err error) int {
	var offset int64
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &mismatch):
		offset = mismatch.Offset
	}
	return 1 + bytes.Count(raw[:min(offset, int64(len(raw)))], []byte("\n"))
}
