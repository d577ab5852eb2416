// Package verdictv1 is the gRPC API of Verdict, generated from the .proto files
// beside it, which are its documentation: AccessService decides,
// DirectoryService keeps what decisions rest on, PolicyService tells which
// policy decides, BackupService copies all that is kept.
//
// After a change to a .proto file run
//
//	go generate ./api/...
//
// from the root of the repository; it needs nothing but Go. A change that
// breaks callers is refused by .ci/run, which compares with baseline.binpb, the
// API as last released. A release renews it:
//
//	go tool -modfile=tools/go.mod buf build -o api/verdict/v1/baseline.binpb --exclude-source-info
//
// Only the edges, engine/server/grpcapi and the clients, api/client and those in
// cmd/verdict, import this package. Everything behind them speaks api/authz.
package verdictv1

//go:generate go -C ../../.. tool -modfile=tools/go.mod buf generate
