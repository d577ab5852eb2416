package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"go.uber.org/zap/zapcore"

	"github.com/verdictpdp/verdict/api/authz"
)

// A config is every setting of the service. Flags stand over the environment,
// the environment over the file, the file over the defaults.
//
// The file is read by goccy/go-yaml, whose errors show the line at fault; the
// environment by caarlos0/env, which works on the same struct.
type config struct {
	Data      string                  `yaml:"data" env:"VERDICT_DATA"`
	GRPC      listenConfig            `yaml:"grpc" envPrefix:"VERDICT_GRPC_"`
	HTTP      listenConfig            `yaml:"http" envPrefix:"VERDICT_HTTP_"`
	Tenants   map[string]tenantConfig `yaml:"tenants"`
	Limits    limitsConfig            `yaml:"limits" envPrefix:"VERDICT_LIMITS_"`
	Directory directoryConfig         `yaml:"directory" envPrefix:"VERDICT_DIRECTORY_"`
	Log       logConfig               `yaml:"log" envPrefix:"VERDICT_LOG_"`
	Shutdown  shutdownConfig          `yaml:"shutdown" envPrefix:"VERDICT_SHUTDOWN_"`
}

type listenConfig struct {
	Address string `yaml:"address" env:"ADDRESS"`
}

type tenantConfig struct {
	Bundle   string   `yaml:"bundle"`
	Package  string   `yaml:"package"`
	Builtins []string `yaml:"builtins"`
}

type limitsConfig struct {
	Input      byteSize      `yaml:"input" env:"INPUT"`
	Evaluation time.Duration `yaml:"evaluation" env:"EVALUATION"`
	Entities   int           `yaml:"entities" env:"ENTITIES"`
}

type directoryConfig struct {
	Retention time.Duration `yaml:"retention" env:"RETENTION"`
	Cache     byteSize      `yaml:"cache" env:"CACHE"`
}

type logConfig struct {
	Level  zapcore.Level `yaml:"level" env:"LEVEL"`
	Format string        `yaml:"format" env:"FORMAT"`
}

type shutdownConfig struct {
	Grace time.Duration `yaml:"grace" env:"GRACE"`
}

const (
	defaultGRPC    = "127.0.0.1:8181"
	defaultHTTP    = "127.0.0.1:8182"
	defaultPackage = "authz"

	// minRetention keeps every revision readable for longer than a decision,
	// a page of a listing or a reconnecting watcher takes.
	minRetention = time.Minute
)

func defaultConfig() config {
	return config{
		Data:      "verdict-data",
		GRPC:      listenConfig{Address: defaultGRPC},
		HTTP:      listenConfig{Address: defaultHTTP},
		Tenants:   map[string]tenantConfig{},
		Limits:    limitsConfig{Input: 1 << 20, Evaluation: 100 * time.Millisecond, Entities: 10_000},
		Directory: directoryConfig{Retention: 24 * time.Hour, Cache: 256 << 20},
		Log:       logConfig{Level: zapcore.InfoLevel, Format: "json"},
		Shutdown:  shutdownConfig{Grace: 10 * time.Second},
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
		if err := cfg.readYAML(text); err != nil {
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
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(c)
	if err == io.EOF { // an empty file, or one of comments alone
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	return nil
}

const environmentPrefix = "VERDICT_"

// readEnvironment lays the variables that begin with VERDICT_ over c. It
// refuses those that it does not know.
func (c *config) readEnvironment(environ []string) error {
	values := map[string]string{}
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, environmentPrefix) {
			values[name] = value
		}
	}
	if len(values) == 0 {
		return nil
	}
	known, err := env.GetFieldParams(c)
	if err != nil {
		return err
	}
	for name := range values {
		if !slices.ContainsFunc(known, func(p env.FieldParams) bool { return p.Key == name }) {
			return fmt.Errorf("environment: %s is no setting; there are %s", name, strings.Join(keys(known), ", "))
		}
	}
	if err := env.ParseWithOptions(c, env.Options{Environment: values}); err != nil {
		return fmt.Errorf("environment: %w", err)
	}
	return nil
}

func keys(params []env.FieldParams) []string {
	var names []string
	for _, p := range params {
		names = append(names, p.Key)
	}
	slices.Sort(names)
	return names
}

// validate reports every setting that cannot work.
func (c *config) validate() error {
	var errs []error
	refuse := func(field, format string, args ...any) {
		errs = append(errs, authz.InvalidField(field, format, args...))
	}
	if c.GRPC.Address == "" {
		refuse("grpc.address", "is empty: expected host:port or unix:///path")
	}
	if c.HTTP.Address == "" {
		refuse("http.address", "is empty: expected host:port or unix:///path")
	}
	if c.Limits.Input <= 0 {
		refuse("limits.input", "%d: expected a size above zero, such as 1MiB", c.Limits.Input)
	}
	if c.Limits.Evaluation <= 0 {
		refuse("limits.evaluation", "%s: expected a duration above zero, such as 100ms", c.Limits.Evaluation)
	}
	if c.Limits.Entities <= 0 {
		refuse("limits.entities", "%d: expected a number above zero", c.Limits.Entities)
	}
	if c.Directory.Retention < minRetention {
		refuse("directory.retention", "%s: expected at least %s", c.Directory.Retention, minRetention)
	}
	if c.Directory.Cache < 0 {
		refuse("directory.cache", "%d: expected a size, such as 256MiB", c.Directory.Cache)
	}
	if c.Log.Format != "json" && c.Log.Format != "console" {
		refuse("log.format", "%q: expected json or console", c.Log.Format)
	}
	if c.Shutdown.Grace < 0 {
		refuse("shutdown.grace", "%s: expected a duration, such as 10s", c.Shutdown.Grace)
	}
	for name, tenant := range c.Tenants {
		field := "tenants." + name
		if err := authz.ValidateTenant(name); err != nil {
			errs = append(errs, authz.InField(field, err))
		}
		if tenant.Bundle == "" {
			refuse(field+".bundle", "is empty: expected a directory or a .tar.gz file")
		}
	}
	return authz.JoinInvalid(errs)
}

// A byteSize is a number of bytes, written 1048576, 1MiB or 1MB.
type byteSize int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > 1<<62 {
		return fmt.Errorf("%q is no size: expected bytes or a size such as 256MiB", text)
	}
	*b = byteSize(n)
	return nil
}

// String is the size as people write it.
func (b byteSize) String() string { return strings.ReplaceAll(humanize.IBytes(uint64(b)), " ", "") }
