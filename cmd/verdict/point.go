package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/background"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/eval/topdown"
	"github.com/verdictpdp/verdict/engine/metrics"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/writepolicy"
	"github.com/verdictpdp/verdict/policy/bundle"
	"github.com/verdictpdp/verdict/policy/suite"
)

// A point is a decision point that nobody can reach yet: a directory, the
// active policies and what decides by them.
type point struct {
	directory *directory.Directory
	programs  *activation.Set
	decisions *pdp.PDP
	cache     *pip.Cache
	metrics   *metrics.Metrics
	turns     *admission.Turns
	// pace is what long work keeps to, and idle who can wait for an idle processor.
	pace *background.Pace
	idle *background.Idle
}

type pointOptions struct {
	// dir is where the directory is kept; empty keeps it in memory.
	dir     string
	tenants []activation.Tenant
	config  config
	clock   func() time.Time
	logger  *zap.Logger
	// lowMemory is set where the process has little.
	lowMemory bool
	// offline lets every write be made, whatever the policy says of writes: a
	// directory is looked at as it is.
	offline bool
}

// housekeeping is how often the directory looks whether past revisions have left the
// retention, which is at least a minute, while nobody writes.
const housekeeping = time.Minute

// openPoint opens the directory and puts everything together. No policy is
// active yet.
func openPoint(o pointOptions) (*point, error) {
	counts := newMetrics(o.tenants)
	cache := pip.NewCache(pip.Options{MaxBytes: int64(o.config.Directory.Cache)})
	names := make([]string, len(o.tenants))
	for i, tenant := range o.tenants {
		names[i] = tenant.Name
	}
	idle, err := background.NewIdle()
	if err != nil {
		return nil, fmt.Errorf("a pipe to wait by: %w", err)
	}
	pace := background.New(counts.Asked, processorTime, idle)
	var programs *activation.Set
	dir, err := directory.Open(directory.Options{
		Dir:          o.dir,
		Tenants:      names,
		Housekeeping: housekeeping,
		Retention:    time.Duration(o.config.Directory.Retention),
		Audit:        time.Duration(o.config.Directory.Audit),
		AuditBytes:   int64(o.config.Directory.AuditSize),
		LowMemory:    o.lowMemory,
		Pace:         pace,
		Clock:        o.clock,
		Logger:       o.logger,
		OnCommit: func(tenant string, revision uint64, changed []authz.EntityRef) {
			cache.Invalidate(tenant, revision, changed)
			counts.Changed(tenant, revision, changed)
		},
		Committed: counts.Committed,
		Guard:     o.guard(func(tenant string) (*activation.Active, error) { return programs.Active(tenant) }),
	})
	if err != nil {
		idle.Close()
		return nil, err
	}
	programs = activation.New(activation.Options{
		Tenants:    o.tenants,
		Evaluators: evaluators(),
		Rules:      append(o.config.rules(), writepolicy.RuleNames()...),
		Faults:     o.config.faults(),
		Logger:     o.logger,
		Clock:      o.clock,
		Observer:   counts.Activated,
		Record:     recordPolicies(o.dir, dir),
		Pace:       pace,
	})
	turns := newTurns(o.config)
	decisions := pdp.New(pdp.Options{
		Policy: func(tenant string) (pdp.Policy, error) {
			active, err := programs.Active(tenant)
			if err != nil {
				return pdp.Policy{}, err
			}
			return pdp.Policy{
				Program: active.Program, Compiled: active.Policy, Actions: active.Actions, Rules: active.Rules,
				Revision: active.Revision, Digest: active.Digest,
				Evaluator: active.Evaluator,
			}, nil
		},
		Snapshot: func(ctx context.Context, tenant string, c authz.Consistency) (pdp.Snapshot, error) {
			snapshot, err := dir.Snapshot(ctx, tenant, c)
			if err != nil {
				return nil, err // and no interface around a nil pointer
			}
			return snapshot, nil
		},
		Cache:    cache,
		Turns:    turns,
		Clock:    o.clock,
		Observer: counts,
		Logger:   o.logger,
		Limits: pdp.Limits{
			InputBytes: int(o.config.Limits.Input),
			Evaluation: time.Duration(o.config.Limits.Evaluation),
			Steps:      int64(o.config.Limits.Steps),
			Entities:   int(o.config.Limits.Entities),
			Batch:      time.Duration(o.config.Limits.Batch),
			Search:     time.Duration(o.config.Limits.Search),
			Wait:       time.Duration(o.config.Limits.Wait),
		},
	})
	return &point{directory: dir, programs: programs, decisions: decisions, cache: cache, metrics: counts, turns: turns, pace: pace, idle: idle}, nil
}

// evaluators are what policies run on everywhere in the product: compiled, and
// where that cannot be, on OPA's own evaluator.
func evaluators() []eval.Evaluator { return []eval.Evaluator{closure.New(), topdown.New()} }

func (p *point) Close() error {
	p.idle.Close()
	return p.directory.Close()
}

// giveUp closes a point that has decided nothing: a store that was made for it goes.
func (p *point) giveUp() error {
	p.idle.Close()
	return p.directory.CloseUnused()
}

// library is the standard library that every policy can import. It is parsed once, and
// what tenants have of it in memory is the same.
var library = sync.OnceValues(func() (*bundle.Bundle, error) {
	lib, err := bundle.ReadFS(bundles.FS, "lib")
	if err != nil {
		return nil, err
	}
	return lib.WithoutTests(), nil
})

// bundleAt is a tenant whose bundle is a directory or a file. Its tests run one
// at a time, so that those who decide meanwhile keep a processor.
func bundleAt(name string, cfg tenantConfig) activation.Tenant {
	var before atomic.Pointer[bundle.Bundle]
	tenant := activation.Tenant{
		Name:     name,
		Path:     cfg.Bundle,
		Package:  cfg.Package,
		Builtins: cfg.Builtins,
		Load: func(rest func()) (*bundle.Bundle, error) {
			b, err := bundle.ReadAfter(cfg.Bundle, before.Load(), rest)
			if err == nil {
				before.Store(b.WithoutTests()) // what stays in memory is what decides
			}
			return withLibrary(b, err)
		},
	}
	if !cfg.SkipTests {
		tenant.Tests = func(ctx context.Context, b *bundle.Bundle, rest func()) (suite.Report, error) {
			return runTests(ctx, name, linesOf(b, cfg.Bundle), suite.Options{Bundle: b, Builtins: cfg.Builtins, Parallel: 1, Rest: rest})
		}
	}
	return tenant
}

// shippedBundle is a tenant whose bundle is one of those in the binary.
func shippedBundle(name string) activation.Tenant {
	return activation.Tenant{
		Name: name,
		Load: func(func()) (*bundle.Bundle, error) {
			b, err := bundle.ReadFS(bundles.FS, name)
			return withLibrary(b, err)
		},
	}
}

func withLibrary(b *bundle.Bundle, err error) (*bundle.Bundle, error) {
	if err != nil {
		return nil, err
	}
	lib, err := library()
	if err != nil {
		return nil, err
	}
	return b.With(lib), nil
}

// maxShownErrors is how many refused lines a person is shown at most.
const maxShownErrors = 20

// unhurriedEvaluation is the evaluation time where nobody else waits: a first
// decision on a busy machine may take longer than a service allows.
const unhurriedEvaluation = duration(10 * time.Second)

// openLocal is a point in memory with one tenant: a bundle from disk and a
// directory from a file of JSON lines, which may be empty. clock is the time
// of its decisions.
func openLocal(ctx context.Context, tenant string, cfg tenantConfig, directoryFile string, clock func() time.Time) (*point, error) {
	if err := authz.ValidateTenant(tenant); err != nil {
		return nil, err
	}
	cfg.SkipTests = true // they are verdict test's
	settings := defaultConfig()
	settings.Limits.Evaluation = unhurriedEvaluation
	p, err := openPoint(pointOptions{
		tenants: []activation.Tenant{bundleAt(tenant, cfg)},
		config:  settings,
		clock:   clock,
		logger:  zap.NewNop(),
		offline: true,
	})
	if err != nil {
		return nil, err
	}
	if err := p.fillLocal(ctx, tenant, cfg.Bundle, directoryFile); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *point) fillLocal(ctx context.Context, tenant, bundlePath, directoryFile string) error {
	if directoryFile != "" {
		file, err := os.Open(directoryFile)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := importAll(ctx, p.directory, tenant, directoryFile, file); err != nil {
			return err
		}
	}
	if bundlePath == "" {
		return nil
	}
	return p.programs.Activate(ctx, tenant)
}

// importAll loads a small file into a directory of its own. A line that is
// refused is an error.
func importAll(ctx context.Context, dir *directory.Directory, tenant, name string, lines io.Reader) error {
	report, err := dir.Import(ctx, tenant, lines, directory.ImportOptions{KeepGoing: true})
	for i, line := range report.Errors {
		if i == maxShownErrors {
			return errors.Join(err, fmt.Errorf("%s: and %d more lines are refused", name, report.Refused-i))
		}
		err = errors.Join(err, fmt.Errorf("%s:%d: %s", name, line.Line, line.Message))
	}
	return err
}
