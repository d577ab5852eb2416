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
	verdictv1 "github.com/verdictpdp/verdict/api/verdict/v1"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/policy/rego"
)

// A check is the verb's flags.
type check struct {
	remote
	consistencyFlags
	context    string
	properties []string
	explain    bool

	bundle, pkg, directory, now string
}

func newCheckCommand(p *printer) *cobra.Command {
	var c check
	cmd := &cobra.Command{
		Use:   "check SUBJECT ACTION RESOURCE",
		Short: "Ask whether a subject may do an action on a resource",
		Long: `Ask whether a subject may do an action on a resource.

Subject and resource are written type:id. A server answers, or, with --bundle,
the policy and the directory in the files named.

Exit code: 0 allow, 1 deny, 2 error.`,
		Example: `  verdict check user:mina read patient_record:p-102
  verdict check user:mina read document:plan --context '{"mfa": true}' --explain
  verdict check user:mina read document:plan --property resource.owner=mina --property subject.level:=3
  verdict check user:mina read document:plan --bundle ./policy --directory directory.jsonl --now 2026-07-01T00:00:00Z`,
		Args: arguments(3, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			request, err := c.request(args)
			if err != nil {
				return err
			}
			ctx, cancel := c.bounded(cmd.Context())
			defer cancel()
			decide := c.decideRemote
			if c.bundle != "" {
				decide = c.decideLocal
			}
			decision, err := decide(ctx, request)
			if err != nil {
				return c.inTime(ctx, err)
			}
			if err := p.printDecision(decision); err != nil {
				return err
			}
			if decision.Err != nil {
				return fmt.Errorf("the policy could not be evaluated to its end, which is a deny: %w", decision.Err)
			}
			if !decision.Allowed {
				return errNo
			}
			return nil
		},
	}
	c.remote.addFlags(cmd)
	c.remote.addTimeoutFlag(cmd)
	c.consistencyFlags.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&c.context, "context", "", "the context of the request, a `JSON` object")
	flags.StringArrayVar(&c.properties, "property", nil, "a property that the caller claims: `PART.NAME=TEXT` or PART.NAME:=JSON, PART being subject, action or resource; repeatable")
	flags.BoolVar(&c.explain, "explain", false, "show which rules held, where the others failed, and what was read")
	flags.StringVar(&c.bundle, "bundle", "", "decide here, by the policy in this directory or .tar.gz `file`")
	flags.StringVar(&c.pkg, "package", rego.DefaultPackage, "with --bundle: the Rego `package` of the decision")
	flags.StringVar(&c.directory, "directory", "", "with --bundle: the directory, a `file` in the import format")
	flags.StringVar(&c.now, "now", "", "with --bundle: the `time` of the decision, such as 2026-07-01T00:00:00Z")
	for _, remote := range []string{"server", "at-least", "exact"} {
		for _, local := range []string{"bundle", "package", "directory", "now"} {
			cmd.MarkFlagsMutuallyExclusive(remote, local)
		}
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for _, local := range []string{"package", "directory", "now"} {
			if cmd.Flags().Changed(local) && c.bundle == "" {
				return fmt.Errorf("--%s is for a decision without a server: name the policy with --bundle", local)
			}
		}
		return nil
	}
	return cmd
}

// request makes the request that the arguments and flags describe.
func (c *check) request(args []string) (*authz.Request, error) {
	r := &authz.Request{Tenant: c.tenant, Action: authz.Action{Name: args[1]}}
	var found bool
	if r.Subject.Type, r.Subject.ID, found = strings.Cut(args[0], ":"); !found {
		return nil, fmt.Errorf("subject %q has no colon: write type:id, such as user:mina", args[0])
	}
	if r.Resource.Type, r.Resource.ID, found = strings.Cut(args[2], ":"); !found {
		return nil, fmt.Errorf("resource %q has no colon: write type:id, such as document:plan", args[2])
	}
	if c.context != "" {
		value, err := decodeJSON(c.context)
		if err != nil {
			return nil, fmt.Errorf("--context: %w", err)
		}
		object, ok := value.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("--context: expected a JSON object, such as {\"mfa\": true}")
		}
		r.Context = object
	}
	for _, text := range c.properties {
		if err := setProperty(r, text); err != nil {
			return nil, fmt.Errorf("--property %s: %w", text, err)
		}
	}
	return r, nil
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

func (c *check) decideRemote(ctx context.Context, r *authz.Request) (authz.Decision, error) {
	conn, err := c.dial()
	if err != nil {
		return authz.Decision{}, err
	}
	defer conn.Close()
	request, err := requestProto(r)
	if err != nil {
		return authz.Decision{}, err
	}
	request.Consistency = c.consistencyFlags.proto()
	request.Explain = c.explain
	response, err := verdictv1.NewAccessServiceClient(conn).CheckAccess(ctx, request)
	if err != nil {
		return authz.Decision{}, err
	}
	return decisionOf(response), nil
}

// clock tells the time of a decision without a server.
func (c *check) clock() (func() time.Time, error) {
	if c.now == "" {
		return time.Now, nil
	}
	now, err := time.Parse(time.RFC3339Nano, c.now)
	if err != nil {
		return nil, fmt.Errorf("--now %q: expected a time such as 2026-07-01T00:00:00Z", c.now)
	}
	// Beyond these years the nanoseconds of time.now_ns would overflow.
	if year := now.UTC().Year(); year < 1678 || year > 2261 {
		return nil, fmt.Errorf("--now %q: policies count nanoseconds: expected a time in the years 1678 to 2261", c.now)
	}
	return func() time.Time { return now }, nil
}

func (c *check) decideLocal(ctx context.Context, r *authz.Request) (authz.Decision, error) {
	clock, err := c.clock()
	if err != nil {
		return authz.Decision{}, err
	}
	point, err := openLocal(ctx, c.tenant, tenantConfig{Bundle: c.bundle, Package: c.pkg}, c.directory, clock)
	if err != nil {
		return authz.Decision{}, err
	}
	decision, err := point.decisions.Decide(ctx, r, pdp.DecideOptions{Explain: c.explain})
	return decision, errors.Join(err, point.Close())
}
