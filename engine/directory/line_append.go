package directory

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/verdictpdp/verdict/api/authz"
)

// AppendLine appends a change, which must be valid, as one canonical line of
// the import format, with the newline at its end.
func AppendLine(dst []byte, c authz.Change) []byte {
	switch {
	case c.PutEntity != nil:
		dst = append(dst, `{"entity":{"type":`...)
		dst = appendText(dst, c.PutEntity.Ref.Type)
		dst = append(dst, `,"id":`...)
		dst = appendText(dst, c.PutEntity.Ref.ID)
		if len(c.PutEntity.Attributes) > 0 {
			dst = append(dst, `,"attributes":`...)
			dst = append(dst, c.PutEntity.Attributes...)
		}
		for i, parent := range c.PutEntity.Parents {
			if i == 0 {
				dst = append(dst, `,"parents":[`...)
			} else {
				dst = append(dst, ',')
			}
			dst = appendText(dst, parent.String())
		}
		if len(c.PutEntity.Parents) > 0 {
			dst = append(dst, ']')
		}
	case c.PutGrant != nil:
		dst = append(dst, `{"grant":{"id":`...)
		dst = appendText(dst, c.PutGrant.ID)
		dst = appendMember(dst, "subject", c.PutGrant.Subject.String())
		dst = appendMember(dst, "role", c.PutGrant.Role.String())
		dst = appendMember(dst, "scope", c.PutGrant.Scope.String())
		dst = appendMember(dst, "not_before", timeText(c.PutGrant.NotBefore))
		dst = appendMember(dst, "not_after", timeText(c.PutGrant.NotAfter))
		dst = appendMember(dst, "reason", c.PutGrant.Reason)
	case c.DeleteEntity != nil:
		dst = appendText(append(dst, `{"delete":{"entity":`...), c.DeleteEntity.String())
	case c.DeleteGrant != nil:
		dst = appendText(append(dst, `{"delete":{"grant":`...), *c.DeleteGrant)
	}
	return append(dst, "}}\n"...)
}

// appendMember appends a member unless it is empty.
func appendMember(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	return appendText(append(dst, `":`...), value)
}

func appendText(dst []byte, text string) []byte {
	// The error is of text that is no UTF-8, which no valid change has.
	quoted, _ := jsontext.AppendQuote(dst, text)
	return quoted
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
