package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"go.uber.org/zap/zapcore"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/server/authzen"
)

// A config is every setting of the service. Flags stand over the environment,
// the environment over the file, the file over the defaults.
//
// The file is read by goccy/go-yaml, whose errors tell the line at fault; the
// environment by caarlos0/env, which works on the same struct.
type config struct {
	Data        string                  `yaml:"data" env:"VERDICT_DATA"`
	GRPC        listenConfig            `yaml:"grpc" envPrefix:"VERDICT_GRPC_"`
	HTTP        httpConfig              `yaml:"http" envPrefix:"VERDICT_HTTP_"`
	TLS         tlsConfig               `yaml:"tls" envPrefix:"VERDICT_TLS_"`
	ExtAuthz    extAuthzConfig          `yaml:"ext_authz" envPrefix:"VERDICT_EXT_AUTHZ_"`
	ForwardAuth forwardAuthConfig       `yaml:"forward_auth" envPrefix:"VERDICT_FORWARD_AUTH_"`
	Callers     callersConfig           `yaml:"callers" envPrefix:"VERDICT_CALLERS_"`
	Sockets     socketsConfig           `yaml:"sockets" envPrefix:"VERDICT_SOCKETS_"`
	Insecure    insecureConfig          `yaml:"insecure" envPrefix:"VERDICT_INSECURE_"`
	Tenants     map[string]tenantConfig `yaml:"tenants"`
	Limits      limitsConfig            `yaml:"limits" envPrefix:"VERDICT_LIMITS_"`
	Directory   directoryConfig         `yaml:"directory" envPrefix:"VERDICT_DIRECTORY_"`
	Admin       adminConfig             `yaml:"admin" envPrefix:"VERDICT_ADMIN_"`
	Tracing     tracingConfig           `yaml:"tracing" envPrefix:"VERDICT_TRACING_"`
	Metrics     metricsConfig           `yaml:"metrics" envPrefix:"VERDICT_METRICS_"`
	Log         logConfig               `yaml:"log" envPrefix:"VERDICT_LOG_"`
	Admission   admissionConfig         `yaml:"admission" envPrefix:"VERDICT_ADMISSION_"`
	Shutdown    shutdownConfig          `yaml:"shutdown" envPrefix:"VERDICT_SHUTDOWN_"`
}

type listenConfig struct {
	Address string `yaml:"address" env:"ADDRESS"`
}

// An httpConfig is how HTTP is answered.
type httpConfig struct {
	Address   string   `yaml:"address" env:"ADDRESS"`
	PublicURL string   `yaml:"public_url" env:"PUBLIC_URL"`
	Context   []string `yaml:"context" env:"CONTEXT"`
	Hosts     []string `yaml:"hosts" env:"HOSTS"`
}

// publicURL is the URL that callers know; the zero value where none is set.
func (c httpConfig) publicURL() (authzen.PublicURL, error) {
	if c.PublicURL == "" {
		return authzen.PublicURL{}, nil
	}
	return authzen.ParsePublicURL(c.PublicURL)
}

// leaveOut are the members of contexts that are not asked for.
func (c httpConfig) leaveOut() (authzen.Members, error) {
	members, err := authzen.ParseMembers(c.Context)
	return authzen.AllMembers &^ members, err
}

// A tlsConfig names the files of a certificate and its key, both or none.
type tlsConfig struct {
	Cert string `yaml:"cert" env:"CERT"`
	Key  string `yaml:"key" env:"KEY"`
}

func (c tlsConfig) on() bool { return c.Cert != "" }

type tenantConfig struct {
	Bundle    string   `yaml:"bundle"`
	Package   string   `yaml:"package"`
	Builtins  []string `yaml:"builtins"`
	SkipTests bool     `yaml:"skip_tests"`
	Weight    count    `yaml:"weight"`
}

type limitsConfig struct {
	Input      byteSize `yaml:"input" env:"INPUT"`
	Evaluation duration `yaml:"evaluation" env:"EVALUATION"`
	Steps      count    `yaml:"steps" env:"STEPS"`
	Entities   count    `yaml:"entities" env:"ENTITIES"`
	Batch      duration `yaml:"batch" env:"BATCH"`
	Search     duration `yaml:"search" env:"SEARCH"`
	Wait       duration `yaml:"wait" env:"WAIT"`
	// Connections and ConnectionsPerPeer are of each address.
	Connections        count        `yaml:"connections" env:"CONNECTIONS"`
	ConnectionsPerPeer count        `yaml:"connections_per_peer" env:"CONNECTIONS_PER_PEER"`
	Garbage            byteSize     `yaml:"garbage" env:"GARBAGE"`
	Intake             intakeConfig `yaml:",inline"`
}

type directoryConfig struct {
	Retention duration `yaml:"retention" env:"RETENTION"`
	Audit     duration `yaml:"audit" env:"AUDIT"`
	AuditSize byteSize `yaml:"audit_size" env:"AUDIT_SIZE"`
	Cache     byteSize `yaml:"cache" env:"CACHE"`
}

type logConfig struct {
	Level  logLevel `yaml:"level" env:"LEVEL"`
	Format string   `yaml:"format" env:"FORMAT"`
}

const (
	defaultGRPC = "127.0.0.1:8181"
	defaultHTTP = "127.0.0.1:8182"

	// maxInput is the largest message that the gRPC server takes.
	maxInput byteSize = 16 << 20

	// minRetention keeps every revision readable for longer than a decision,
	// a page of a listing or a reconnecting watcher takes.
	minRetention = duration(time.Minute)
)

func defaultConfig() config {
	return config{
		Data:        "verdict-data",
		GRPC:        listenConfig{Address: defaultGRPC},
		HTTP:        httpConfig{Address: defaultHTTP, Context: authzen.MemberNames(), Hosts: []string{}},
		Callers:     defaultCallers(),
		Sockets:     defaultSockets(),
		ExtAuthz:    defaultExtAuthz(),
		ForwardAuth: forwardAuthConfig{PolicyHeaders: []string{}},
		Tenants:     map[string]tenantConfig{},
		Limits: limitsConfig{
			Input:      pdp.DefaultInputBytes,
			Evaluation: duration(pdp.DefaultEvaluation),
			Steps:      pdp.DefaultSteps,
			Entities:   pdp.DefaultEntities,
			Batch:      duration(pdp.DefaultBatch),
			Search:     duration(pdp.DefaultSearch),
			Wait:       duration(pdp.DefaultWait),

			Connections: 10_000, ConnectionsPerPeer: 2_500, Garbage: defaultGarbage, Intake: defaultIntake(),
		},
		Directory: directoryConfig{Retention: duration(directory.DefaultRetention), Audit: defaultAudit, AuditSize: defaultAuditSize, Cache: pip.DefaultCacheBytes},
		Metrics:   metricsConfig{Enabled: true},
		Tracing:   defaultTracing(),
		Log:       logConfig{Level: logLevel(zapcore.InfoLevel), Format: "json"},
		Admission: defaultAdmission(),
		Shutdown:  defaultShutdown(),
	}
}

// loadConfig reads the file, if one is named, and lays the environment over it.
func loadConfig(path string, environ []string) (config, error) {
	cfg := defaultConfig()
	if path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return config{}, fmt.Errorf("configuration: %w", err)
		}
		if err := cfg.readYAML(bytes.TrimPrefix(text, []byte("\ufeff"))); err != nil {
			return config{}, fmt.Errorf("configuration %s: %w", path, err)
		}
	}
	if err := cfg.readEnvironment(environ); err != nil {
		return config{}, err
	}
	return cfg, nil
}

// readYAML lays a configuration file over c. It refuses keys that it does not
// know.
func (c *config) readYAML(text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return atLine(err)
	}
	// Behind a document that is empty the parser drops all others.
	headers := 0
	for _, word := range lexer.Tokenize(string(text)) {
		if word.Type == token.DocumentHeaderType {
			headers++
		}
	}
	if len(file.Docs) > 1 || headers > 1 {
		return errors.New("there is a second YAML document: expected one")
	}
	if len(file.Docs) == 0 {
		return nil
	}
	if body := file.Docs[0].Body; body == nil || body.Type() == ast.NullType || body.Type() == ast.CommentGroupType {
		return nil // comments alone
	}
	var names onlyNames
	ast.Walk(&names, file.Docs[0].Body)
	if names.err != nil {
		return atLine(names.err)
	}
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c); err != nil {
		return atLine(err)
	}
	return nil
}

// onlyNames finds a key that is no text. The YAML library passes over all of an object that
// has one: without this, callers would not be asked who they are for a number among their
// settings.
type onlyNames struct{ err error }

// Visit implements ast.Visitor.
func (v *onlyNames) Visit(node ast.Node) ast.Visitor {
	if member, ok := node.(*ast.MappingValueNode); ok && !member.Key.IsMergeKey() && member.Key.Type() != ast.StringType && v.err == nil {
		v.err = &yaml.SyntaxError{Message: "expected the name of a setting: put one that is no word in quotes, and a value with commas as well", Token: member.Key.GetToken()}
	}
	return v
}

// atLine is an error of the YAML library as a person reads it: with the number of the line
// at fault, and without the line. A file named by mistake may hold a key or a password, and
// what is said here comes to the log.
func atLine(err error) error {
	var mismatch *yaml.TypeError
	if errors.As(err, &mismatch) {
		expected := errNoScalar.Error()
		switch mismatch.DstType.Kind() {
		case reflect.Bool:
			expected = errNoBoolean.Error()
		case reflect.Float64:
			expected = errNoNumber.Error()
		}
		err = &yaml.SyntaxError{Message: expected, Token: mismatch.Token}
	}
	var misplaced *yaml.UnexpectedNodeTypeError
	if errors.As(err, &misplaced) {
		expected := "expected settings and their values, such as name: value"
		if misplaced.Expected == ast.SequenceType {
			expected = "expected a list, such as [one, another]"
		}
		err = &yaml.SyntaxError{Message: expected, Token: misplaced.Token}
	}
	said := strings.TrimSpace(yaml.FormatError(err, false, false))
	for _, quotes := range quoting {
		said = quotes.ReplaceAllString(said, "$1")
	}
	return errors.New(said)
}

// quoting are the errors of the YAML library that quote what may be a secret: the name of
// an alias and what follows a block's mark, which both may begin a password, and a field's
// name that is no word.
var quoting = []*regexp.Regexp{
	regexp.MustCompile(`(?s)(could not find alias|cannot find anchor by alias name|invalid header option):? .*`),
	regexp.MustCompile(`(?s)(unknown field|mapping key) "(?:[^"]*[^"a-zA-Z_-][^"]*|[^"]{41,})"`),
}

const environmentPrefix = "VERDICT_"

// serviceLink is what Kubernetes puts into the environment of every container
// beside a Service called verdict. It is none of ours.
var serviceLink = regexp.MustCompile(`^VERDICT(_.*)?_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_.*)?)$`)

// readEnvironment lays the variables that begin with VERDICT_ over c. It
// refuses those that it does not know.
func (c *config) readEnvironment(environ []string) error {
	params, err := env.GetFieldParams(c)
	if err != nil {
		return err
	}
	var known []string
	for _, p := range params {
		known = append(known, p.Key)
	}
	slices.Sort(known)
	for _, line := range environ {
		name, value, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, environmentPrefix) || serviceLink.MatchString(name) ||
			name == tokenVariable || name == tokenFileVariable { // those of commands
			continue
		}
		if !slices.Contains(known, name) {
			return fmt.Errorf("environment: %s is no setting; there are %s", name, strings.Join(known, ", "))
		}
		var parseError env.ParseError
		err := env.ParseWithOptions(c, env.Options{Environment: map[string]string{name: value}})
		if errors.As(err, &parseError) {
			err = parseError.Err
			var noValue *strconv.NumError
			switch errors.As(err, &noValue); {
			case noValue == nil:
			case noValue.Func == "ParseBool":
				err = errNoBoolean
			case noValue.Func == "ParseFloat":
				err = errNoNumber
			}
		}
		if err != nil {
			return fmt.Errorf("environment: %s: %w", name, err)
		}
	}
	return nil
}

// validate reports every setting that cannot work.
func (c *config) validate() error {
	var errs []error
	refuse := func(field, format string, args ...any) {
		errs = append(errs, authz.InvalidField(field, format, args...))
	}
	if c.Data == "" {
		refuse("data", "is empty: expected a directory")
	}
	c.validateAddresses(refuse)
	if _, err := c.HTTP.publicURL(); err != nil {
		refuse("http.public_url", "%s", err)
	}
	if _, err := c.HTTP.leaveOut(); err != nil {
		refuse("http.context", "%s", err)
	}
	switch {
	case c.TLS.Cert != "" && c.TLS.Key == "":
		refuse("tls.key", "is missing: the certificate of tls.cert (--tls-cert) needs its key (--tls-key)")
	case c.TLS.Cert == "" && c.TLS.Key != "":
		refuse("tls.cert", "is missing: the key of tls.key (--tls-key) needs its certificate (--tls-cert)")
	}
	if c.Limits.Input <= 0 || c.Limits.Input > maxInput {
		refuse("limits.input", "%s: expected a size above zero and of at most %s, such as 1MiB", c.Limits.Input, maxInput)
	}
	if c.Limits.Evaluation <= 0 {
		refuse("limits.evaluation", "%s: expected a duration above zero, such as 100ms", c.Limits.Evaluation)
	}
	if c.Limits.Steps <= 0 {
		refuse("limits.steps", "%d: expected a number above zero", c.Limits.Steps)
	}
	if c.Limits.Entities <= 0 {
		refuse("limits.entities", "%d: expected a number above zero", c.Limits.Entities)
	}
	if c.Limits.Search <= 0 {
		refuse("limits.search", "%s: expected a duration above zero, such as 2s", c.Limits.Search)
	}
	if c.Limits.Batch <= 0 {
		refuse("limits.batch", "%s: expected a duration above zero, such as 5s", c.Limits.Batch)
	}
	if c.Limits.Wait <= 0 {
		refuse("limits.wait", "%s: expected a duration above zero, such as 30s", c.Limits.Wait)
	}
	if c.Limits.Connections <= 0 {
		refuse("limits.connections", "%d: expected a number above zero", c.Limits.Connections)
	}
	if c.Limits.ConnectionsPerPeer <= 0 {
		refuse("limits.connections_per_peer", "%d: expected a number above zero", c.Limits.ConnectionsPerPeer)
	}
	if c.Directory.Retention < minRetention {
		refuse("directory.retention", "%s: expected at least %s", c.Directory.Retention, minRetention)
	}
	c.validateAudit(refuse)
	if c.Directory.Cache == 0 {
		refuse("directory.cache", "0: expected a size above zero, such as 256MiB")
	}
	if c.Log.Format != "json" && c.Log.Format != "console" {
		refuse("log.format", "%q: expected json or console", c.Log.Format)
	}
	c.Limits.Intake.validate(refuse)
	c.Shutdown.validate(refuse)
	c.Admin.validateReach(refuse)
	c.validateAdmission(refuse)
	c.Tracing.validate(refuse)
	c.validateProxies(refuse)
	c.validateCallers(refuse)
	c.validateReach(refuse)
	c.Sockets.validate(refuse)
	for _, name := range slices.Sorted(maps.Keys(c.Tenants)) {
		field := "tenants." + name
		if err := authz.ValidateTenant(name); err != nil {
			errs = append(errs, authz.InField(field, err))
		}
		if c.Tenants[name].Bundle == "" {
			refuse(field+".bundle", "is empty: expected a directory or a .tar.gz file")
		}
	}
	return authz.JoinInvalid(errs)
}
