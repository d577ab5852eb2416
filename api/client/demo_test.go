package client_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/api/authz"
	"github.com/verdictpdp/verdict/bundles"
	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/caller"
	"github.com/verdictpdp/verdict/engine/directory"
	"github.com/verdictpdp/verdict/engine/eval"
	"github.com/verdictpdp/verdict/engine/eval/closure"
	"github.com/verdictpdp/verdict/engine/gate"
	"github.com/verdictpdp/verdict/engine/pdp"
	"github.com/verdictpdp/verdict/engine/pip"
	"github.com/verdictpdp/verdict/engine/server/grpcapi"
	"github.com/verdictpdp/verdict/policy/bundle"
)

// serveWorkforce serves the tenant workforce as `verdict demo` does, on a free
// port or on a Unix socket. It returns where, and what ends it.
func serveWorkforce(network, at string) (address string, stop func()) {
	address, stop, err := serve(network, at, "workforce")
	if err != nil {
		panic(err)
	}
	return address, stop
}

func serve(network, at, tenant string) (string, func(), error) {
	cache := pip.NewCache(pip.Options{})
	kept, err := directory.Open(directory.Options{Tenants: []string{tenant}, OnCommit: cache.Invalidate})
	if err != nil {
		return "", nil, err
	}
	lines, err := fs.ReadFile(bundles.FS, tenant+"/directory.jsonl")
	if err != nil {
		return "", nil, err
	}
	if _, err := kept.Import(context.Background(), tenant, bytes.NewReader(lines), directory.ImportOptions{}); err != nil {
		return "", nil, err
	}
	programs := activation.New(activation.Options{
		Tenants: []activation.Tenant{{Name: tenant, Load: func(func()) (*bundle.Bundle, error) {
			lib, libErr := bundle.ReadFS(bundles.FS, "lib")
			shipped, err := bundle.ReadFS(bundles.FS, tenant)
			if err := errors.Join(libErr, err); err != nil {
				return nil, err
			}
			return shipped.With(lib), nil
		}}},
		Evaluators: []eval.Evaluator{closure.New()},
		Clock:      time.Now,
		Logger:     zap.NewNop(),
	})
	if err := programs.Activate(context.Background(), tenant); err != nil {
		return "", nil, err
	}
	unhurried := pdp.Limits{Evaluation: 10 * time.Second} // on a busy machine
	decisions := pdp.New(pdp.Options{
		Policy: func(tenant string) (pdp.Policy, error) {
			active, err := programs.Active(tenant)
			return pdp.Policy{
				Program: active.Program, Compiled: active.Policy, Actions: active.Actions, Rules: active.Rules,
				Revision: active.Revision, Digest: active.Digest,
			}, err
		},
		Snapshot: func(ctx context.Context, tenant string, c authz.Consistency) (pdp.Snapshot, error) {
			snapshot, err := kept.Snapshot(ctx, tenant, c)
			if err != nil {
				return nil, err // and no interface around a nil pointer
			}
			return snapshot, nil
		},
		Cache:  cache,
		Limits: unhurried,
	})
	listener, err := net.Listen(network, at)
	if err != nil {
		return "", nil, err
	}
	server := grpcapi.New(grpcapi.Options{
		Decider: decisions, Searcher: decisions, Directory: kept, Policies: programs, Ready: func() error { return nil }, Logger: zap.NewNop(),
		Callers: caller.New(caller.Options{}), Gate: gate.Open{},
	})
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	address := listener.Addr().String()
	if network == "unix" {
		address = "unix://" + address
	}
	return address, func() {
		_ = server.Shutdown(context.Background()) // without an end there is nothing to cut off
		<-served
		_ = kept.Close()
	}, nil
}
