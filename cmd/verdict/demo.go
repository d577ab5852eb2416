package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/server/authzen"
)

// demoTenants are the shipped bundles that the demo serves, each as a tenant
// of its own name.
var demoTenants = []string{"workforce", "customer", "hybrid"}

func newDemoCommand(p *printer) *cobra.Command {
	var once bool
	cfg := defaultConfig()
	cfg.Limits.Evaluation = unhurriedEvaluation
	cfg.Limits.Garbage = 0 // how much memory there is, is not asked here
	cfg.Log.Format = "console"
	cfg.Log.Level = logLevel(zap.WarnLevel)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve the shipped bundles with their sample data, and show what they decide",
		Long: `Serve the shipped bundles with their sample data, and show what they decide.

Everything is kept in memory. The demo prints a table of decisions with their
reasons, says how to ask for one's own, and goes on serving until Ctrl-C. Over HTTP
it speaks AuthZEN, for each of the tenants workforce, customer and hybrid:
/tenants/{tenant}/access/v1/evaluation, evaluations, search/subject, resource and
action.`,
		Example: "  verdict demo\n" + demoCurl(defaultHTTP),
		Args:    arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.validate(); err != nil {
				return err
			}
			return demo(cmd.Context(), p, cfg, once)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&once, "once", false, "end after the table")
	flags.StringVar(&cfg.GRPC.Address, "grpc", defaultGRPC, "gRPC `address`, host:port or unix:///path")
	flags.StringVar(&cfg.HTTP.Address, "http", defaultHTTP, "HTTP `address`, host:port or unix:///path")
	return cmd
}

func demo(ctx context.Context, p *printer, cfg config, once bool) error {
	cfg.HTTP.PublicURL = loopbackURL(cfg.HTTP.Address)
	o := pointOptions{config: cfg, clock: time.Now, logger: newLogger(cfg.Log, p.err)}
	for _, name := range demoTenants {
		o.tenants = append(o.tenants, shippedBundle(name))
	}
	if once {
		point, err := openPoint(o)
		if err != nil {
			return err
		}
		return errors.Join(showDemo(ctx, p, point), point.Close())
	}
	s, err := openService(o)
	if err != nil {
		return err
	}
	if err := showDemo(ctx, p, s.point); err != nil {
		return errors.Join(err, s.Close())
	}
	if !p.json() {
		s.printHowToAsk(p)
	}
	return errors.Join(s.run(ctx), s.Close())
}

// loopbackURL is the URL of an address on this machine; empty where callers have to
// be told another.
func loopbackURL(address string) string {
	text := "http://" + address
	_, port, err := net.SplitHostPort(address)
	if _, invalid := authzen.ParsePublicURL(text); err != nil || invalid != nil || port == "0" {
		return ""
	}
	return text
}

// showDemo loads the sample data and prints what is decided on it.
func showDemo(ctx context.Context, p *printer, point *point) error {
	for _, tenant := range demoTenants {
		if err := point.loadSample(ctx, tenant); err != nil {
			return err
		}
		samples, err := sampleRequests(tenant)
		if err != nil {
			return err
		}
		rows := [][]string{{tenant, "decision", "subject", "action", "resource", "why"}}
		for _, sample := range samples {
			decision, err := point.decisions.Decide(ctx, sample.Request.authz(), pdp.DecideOptions{})
			if err != nil {
				return fmt.Errorf("%s: %s: %w", sample.Scenario, sample.Title, err)
			}
			if p.json() {
				if err := p.printJSON(sample.report(decision)); err != nil {
					return err
				}
				continue
			}
			rows = append(rows, sample.row(decision))
		}
		if p.json() {
			continue
		}
		if err := p.paintedTable(rows, demoColour); err != nil {
			return err
		}
		p.printf("\n")
	}
	return nil
}

// loadSample activates a shipped bundle and loads its directory.
func (p *point) loadSample(ctx context.Context, tenant string) error {
	name := path.Join(tenant, "directory.jsonl")
	lines, err := fs.ReadFile(bundles.FS, name)
	if err != nil {
		return err
	}
	// The policy first: it is asked about what is written.
	if err := p.programs.Activate(ctx, tenant); err != nil {
		return err
	}
	return importAll(ctx, p.directory, tenant, name, bytes.NewReader(lines))
}

// A sample is one line of a bundle's requests.jsonl: a request, and what the
// bundle decides on it.
type sample struct {
	Scenario    string       `json:"scenario"`
	Title       string       `json:"title"`
	Request     requestJSON  `json:"request"`
	Allowed     bool         `json:"allowed"`
	Reasons     []string     `json:"reasons"`
	Obligations authz.Object `json:"obligations"`
}

// requestJSON is a request as DESIGN's input and AuthZEN write it.
type requestJSON struct {
	Tenant  string     `json:"tenant"`
	Subject entityJSON `json:"subject"`
	Action  struct {
		Name       string       `json:"name"`
		Properties authz.Object `json:"properties,omitempty"`
	} `json:"action"`
	Resource entityJSON   `json:"resource"`
	Context  authz.Object `json:"context,omitempty"`
}

type entityJSON struct {
	Type       string       `json:"type"`
	ID         string       `json:"id"`
	Properties authz.Object `json:"properties,omitempty"`
}

func (r requestJSON) authz() *authz.Request {
	return &authz.Request{
		Tenant:   r.Tenant,
		Subject:  authz.Subject(r.Subject),
		Action:   authz.Action{Name: r.Action.Name, Properties: r.Action.Properties},
		Resource: authz.Resource(r.Resource),
		Context:  r.Context,
	}
}

// sampleRequests reads a shipped bundle's requests.
func sampleRequests(tenant string) ([]sample, error) {
	name := path.Join(tenant, "requests.jsonl")
	text, err := fs.ReadFile(bundles.FS, name)
	if err != nil {
		return nil, err
	}
	var samples []sample
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		decoder := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		decoder.DisallowUnknownFields()
		decoder.UseNumber()
		var s sample
		if err := decoder.Decode(&s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		samples = append(samples, s)
	}
	return samples, lines.Err()
}

func (s sample) report(decision authz.Decision) any {
	return struct {
		Tenant   string      `json:"tenant"`
		Scenario string      `json:"scenario"`
		Title    string      `json:"title"`
		Request  requestJSON `json:"request"`
		decisionReport
	}{s.Request.Tenant, s.Scenario, s.Title, s.Request, newDecisionReport(decision)}
}

func (s sample) row(decision authz.Decision) []string {
	r := s.Request
	return []string{
		s.Scenario,
		verdict(decision.Allowed),
		r.Subject.Type + ":" + r.Subject.ID,
		r.Action.Name,
		r.Resource.Type + ":" + r.Resource.ID,
		why(decision, s.Title),
	}
}

// why is a decision's reasons, or what the sample shows where it gives none,
// with its obligations behind.
func why(decision authz.Decision, title string) string {
	text := sentences(decision.Reasons)
	switch {
	case decision.Err != nil:
		text = "error: " + decision.Err.Error()
	case text == "":
		text = title
	}
	if len(decision.Obligations) > 0 {
		text += " " + compactJSON(decision.Obligations)
	}
	return text
}

// sentences are reasons one after the other; those that are no sentences are
// set apart.
func sentences(reasons []string) string {
	var text strings.Builder
	for i, reason := range reasons {
		switch {
		case i == 0:
		case strings.HasSuffix(reasons[i-1], "."):
			text.WriteString(" ")
		default:
			text.WriteString("; ")
		}
		text.WriteString(reason)
	}
	return text.String()
}

// demoColour paints the column of decisions.
func demoColour(column int, cell string) string {
	if column != 1 {
		return ""
	}
	return verdictColour(cell)
}

func (s *service) printHowToAsk(p *printer) {
	grpc, http := dialable(s.grpcListener.Addr()), s.httpListener.Addr().String()
	server := ""
	if grpc != defaultGRPC {
		server = " --server " + grpc
	}
	p.printf(`Serving gRPC on %s and HTTP on %s. Ask for more:

  verdict check --tenant workforce%s user:mina read patient_record:p-102 --explain
  verdict directory get --tenant workforce%s user:mina
`, grpc, http, server, server)
	if s.httpListener.Addr().Network() == "tcp" {
		p.printf("%s\n", demoCurl(http))
	}
	p.printf("\nStop with Ctrl-C.\n")
}

// demoCurl is how to ask over HTTP: for a decision, and what one may do.
func demoCurl(address string) string {
	const curl = `  curl -s http://%s/tenants/workforce/access/v1/%s -H 'Content-Type: application/json' \
    -d '{"subject":{"type":"user","id":"mina"},%s"resource":{"type":"patient_record","id":"p-102"}}'`
	return fmt.Sprintf(curl, address, "evaluation", `"action":{"name":"read"},`) + "\n" +
		fmt.Sprintf(curl, address, "search/action", "")
}
