package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A question is the flags of the commands that ask the policy: what is asked
// besides the arguments, and who answers, a server or files.
type question struct {
	remote
	consistencyFlags
	context    string
	properties []string

	bundle, pkg, directory, now string
}

func (q *question) addFlags(cmd *cobra.Command) {
	q.remote.addFlags(cmd)
	q.remote.addTimeoutFlag(cmd)
	q.consistencyFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&q.context, "context", "", "the context of the request, a `JSON` object")
	flags.StringArrayVar(&q.properties, "property", nil, "a property that the caller claims: `PART.NAME=TEXT` or PART.NAME:=JSON, PART being subject, action or resource; repeatable")
	flags.StringVar(&q.bundle, "bundle", "", "decide here, by the policy in this directory or .tar.gz `file`")
	flags.StringVar(&q.pkg, "package", rego.DefaultPackage, "with --bundle: the Rego `package` of the decision")
	flags.StringVar(&q.directory, "directory", "", "with --bundle: the directory, a `file` in the import format")
	flags.StringVar(&q.now, "now", "", "with --bundle: the `time` of the decision, such as 2026-07-01T00:00:00Z")
	for _, local := range []string{"bundle", "package", "directory", "now"} {
		asksNoServer(cmd, local)
		cmd.MarkFlagsMutuallyExclusive("at-least", local)
		cmd.MarkFlagsMutuallyExclusive("exact", local)
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, local := range []string{"package", "directory", "now"} {
			if cmd.Flags().Changed(local) && q.bundle == "" {
				return fmt.Errorf("--%s is for a decision without a server: name the policy with --bundle", local)
			}
		}
		if cmd.Flags().Changed("context") && q.context == "" {
			return errors.New(`--context: is empty: expected a JSON object, such as {"mfa": true}`)
		}
		return nil
	}
}

// set sets what the flags say of a request.
func (q *question) set(r *authz.Request) error {
	r.Tenant = q.tenant
	if q.context != "" {
		value, err := decodeJSON(q.context)
		if err != nil {
			return fmt.Errorf("--context: %w", err)
		}
		object, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("--context: expected a JSON object, such as {\"mfa\": true}")
		}
		r.Context = object
	}
	for _, text := range q.properties {
		if err := setProperty(r, text); err != nil {
			return fmt.Errorf("--property %s: %w", text, err)
		}
	}
	return nil
}

// setProperty reads PART.NAME=TEXT or PART.NAME:=JSON into the request.
func setProperty(r *authz.Request, text string) error {
	key, value, found := strings.Cut(text, "=")
	part, name, dotted := strings.Cut(strings.TrimSuffix(key, ":"), ".")
	if !found || !dotted || name == "" {
		return errors.New("expected PART.NAME=TEXT or PART.NAME:=JSON, such as subject.level:=3")
	}
	var object *authz.Object
	switch part {
	case "subject":
		object = &r.Subject.Properties
	case "action":
		object = &r.Action.Properties
	case "resource":
		object = &r.Resource.Properties
	default:
		return fmt.Errorf("%q has no properties: expected subject, action or resource", part)
	}
	var parsed any = value
	if strings.HasSuffix(key, ":") {
		var err error
		if parsed, err = decodeJSON(value); err != nil {
			return err
		}
	}
	if *object == nil {
		*object = authz.Object{}
	}
	(*object)[name] = parsed
	return nil
}

// decodeJSON reads one JSON value, its numbers exact. It refuses what the
// server refuses, such as a name that stands twice or a number out of range.
func decodeJSON(text string) (any, error) {
	if err := checkJSON(text); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	return value, nil
}

func checkJSON(text string) error {
	decoder := jsontext.NewDecoder(strings.NewReader(text))
	for begun := false; !begun || decoder.StackDepth() > 0; begun = true {
		token, err := decoder.ReadToken()
		var syntax *jsontext.SyntacticError
		switch {
		case errors.As(err, &syntax):
			return fmt.Errorf("not valid JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
		case err != nil:
			return errors.New("there is nothing: expected a JSON value")
		case token.Kind() == '0':
			if err := authz.ValidateNumber(token.String()); err != nil {
				return err
			}
		}
	}
	if _, err := decoder.ReadToken(); err != io.EOF {
		return errors.New("not valid JSON: there is more behind the value")
	}
	return nil
}

// clock tells the time of a decision without a server.
func (q *question) clock() (func() time.Time, error) {
	if q.now == "" {
		return time.Now, nil
	}
	now, err := time.Parse(time.RFC3339Nano, q.now)
	if err != nil {
		return nil, fmt.Errorf("--now %q: expected a time such as 2026-07-01T00:00:00Z", q.now)
	}
	// Beyond these years the nanoseconds of time.now_ns would overflow.
	if year := now.UTC().Year(); year < 1678 || year > 2261 {
		return nil, fmt.Errorf("--now %q: policies count nanoseconds: expected a time in the years 1678 to 2261", q.now)
	}
	return func() time.Time { return now }, nil
}

// open opens the point that --bundle describes.
func (q *question) open(ctx context.Context) (*point, error) {
	clock, err := q.clock()
	if err != nil {
		return nil, err
	}
	return openLocal(ctx, q.tenant, tenantConfig{Bundle: q.bundle, Package: q.pkg}, q.directory, clock)
}
