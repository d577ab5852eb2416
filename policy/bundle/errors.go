package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
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

// lineIn is the place of an offset in a file, as file:line.
func lineIn(f file, from origin, offset int64) string {
	line := 1 + bytes.Count(f.raw[:min(offset, int64(len(f.raw)))], []byte("\n"))
	return fmt.Sprintf("%s:%d", from.file(f.name), line)
}

// offsetOf is where an error of encoding/json points at.
func offsetOf(err error) int64 {
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return syntax.Offset
	case errors.As(err, &wrong):
		return wrong.Offset
	}
	return 0
}

// mismatch says of a value of another type than its member's what was expected,
// in the words of JSON.
func mismatch(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	expected := map[reflect.Kind]string{
		reflect.String: "a string", reflect.Slice: "an array", reflect.Map: "an object", reflect.Struct: "an object", reflect.Int: "a whole number",
	}[wrong.Type.Kind()]
	if wrong.Field == "" {
		return fmt.Errorf("expected %s, not %s", expected, wrong.Value)
	}
	return fmt.Errorf("member %s: expected %s, not %s", wrong.Field, expected, wrong.Value)
}
