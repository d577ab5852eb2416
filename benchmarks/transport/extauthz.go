package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
)

// The ways in which one of Envoy's checks names its subject: by the certificate of
// whoever calls Envoy, and by a JSON Web Token, whose signature is checked each time.
const byCertificate, byToken = "certificate", "token"

// proxiedServices have three routes each.
const proxiedServices = 100

// proxiedPolicy reads the directory, and answers with an obligation.
const proxiedPolicy = `package authz

import rego.v2

import data.verdict.request

allow if {
	input.action.name == "read"
	request.subject.attributes.team == request.resource.attributes.team
}

obligations.http.headers["x-user"] := input.subject.id if allow
`

// prepareProxied fills the bundle of the tenant that Envoy is answered for.
func prepareProxied(bundle string, key *ecdsa.PrivateKey) error {
	public, err := publicKey(key)
	if err != nil {
		return err
	}
	data, err := json.Marshal(map[string]any{"http": map[string]any{
		"routes":     proxiedRoutes(),
		"principals": map[string]any{"type": "user", "prefix": "spiffe://example/"},
		"tokens": []any{map[string]any{
			"issuer": "https://idp.example", "audience": "bench", "algorithm": "ES256", "keys": map[string]any{"keys": []any{public}},
		}},
	}})
	if err != nil {
		return err
	}
	return errors.Join(
		os.Mkdir(bundle, 0o700),
		os.WriteFile(filepath.Join(bundle, "authz.rego"), []byte(proxiedPolicy), 0o600),
		os.WriteFile(filepath.Join(bundle, "data.json"), data, 0o600),
	)
}

func proxiedRoutes() (routes []any) {
	for i := range proxiedServices {
		base := fmt.Sprintf("/service%d/items/", i)
		routes = append(routes,
			map[string]any{"path": base + "{id}", "type": "item", "id": "{id}"},
			map[string]any{"path": base + "{item}/notes/{note}", "type": "note", "id": "{note}", "methods": []string{"GET", "PUT"}},
			map[string]any{"path": base + "{id}/close", "type": "item", "id": "{id}", "action": "close"})
	}
	return routes
}

// writeProxiedDirectory writes who calls through Envoy, and what for, as lines of
// the import format.
func writeProxiedDirectory(out io.Writer) {
	for i := range customers {
		fmt.Fprintf(out, `{"entity":{"type":"user","id":"u%d","attributes":{"team":"t%d"}}}`+"\n", i, i%10)
		fmt.Fprintf(out, `{"entity":{"type":"item","id":"i%d","attributes":{"team":"t%d"}}}`+"\n", i, i%10)
	}
}

// newProxiedLoad is checks of Envoy's whose subjects are named in one of the ways.
// All of them are allowed.
func newProxiedLoad(by string, key *ecdsa.PrivateKey) (load, error) {
	var checks []proto.Message
	for i := range customers {
		check, err := proxiedCheck(i, by, key)
		if err != nil {
			return load{}, err
		}
		checks = append(checks, check)
	}
	return newLoad("ext_authz, subject by "+by, authv3.Authorization_Check_FullMethodName, 1, checks)
}

// proxiedCheck is the i-th of a stream of checks, with the headers of a browser.
func proxiedCheck(i int, by string, key *ecdsa.PrivateKey) (*authv3.CheckRequest, error) {
	path := fmt.Sprintf("/service%d/items/i%d?full=1", i%proxiedServices, i)
	headers := map[string]string{
		":authority": "records.example", ":path": path, ":method": "GET", ":scheme": "https",
		"accept":          "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
		"accept-language": "en-US,en;q=0.5", "accept-encoding": "gzip, deflate, br, zstd",
		"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
		"cookie":     "session=0123456789abcdef0123456789abcdef; theme=dark", "referer": "https://records.example/items",
		"sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin",
		"x-request-id": "3f0c8d5e-2a54-4a6c-9f3b-1f1f6f2f9a01", "x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.7",
	}
	source := &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: "10.0.0.7", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
	}}}}
	if by == byCertificate {
		source.Principal = fmt.Sprintf("spiffe://example/u%d", i)
	} else {
		token, err := sign(key, fmt.Sprintf(`{"iss":"https://idp.example","aud":"bench","sub":"u%d","exp":4102444800}`, i))
		if err != nil {
			return nil, err
		}
		headers["authorization"] = "Bearer " + token
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: source,
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Id: "1234567890", Method: "GET", Scheme: "https", Host: "records.example", Path: path, Protocol: "HTTP/2", Headers: headers, Size: -1,
		}},
	}}, nil
}

// askProxied asks for everything in a load once, checks that it is allowed, and
// returns an answer for the echo to repeat.
func askProxied(ctx context.Context, c *caller, l load) (answer *authv3.CheckResponse, err error) {
	client := authv3.NewAuthorizationClient(c.conns[0])
	for _, message := range l.messages {
		var request authv3.CheckRequest
		if err := proto.Unmarshal(message, &request); err != nil {
			return nil, err
		}
		if answer, err = client.Check(ctx, &request); err != nil {
			return nil, err
		}
		if answer.GetOkResponse() == nil {
			return nil, fmt.Errorf("%s: %v is answered %v", l.name, &request, answer)
		}
	}
	return answer, nil
}

// proxiedEcho answers every check of Envoy's alike.
type proxiedEcho struct {
	authv3.UnimplementedAuthorizationServer
	answer *authv3.CheckResponse
}

func (e proxiedEcho) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return e.answer, nil
}

func saveProxied(dir string, answer *authv3.CheckResponse) error {
	data, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	return os.WriteFile(proxiedAnswer(dir), data, 0o600)
}

func loadProxied(dir string) (proxiedEcho, error) {
	e := proxiedEcho{answer: &authv3.CheckResponse{}}
	data, err := os.ReadFile(proxiedAnswer(dir))
	if err != nil {
		return e, err
	}
	return e, proto.Unmarshal(data, e.answer)
}

func proxiedAnswer(dir string) string { return filepath.Join(dir, proxied+".check") }

// proxiedGroups are the rows of Envoy's checks, on servers of which the first is
// the echo.
func (b *bench) proxiedGroups(servers []row) []group {
	var groups []group
	for _, by := range []string{byCertificate, byToken} {
		l := b.proxied[by]
		g := group{name: l.name, decisions: l.decisions, rows: slices.Clone(servers)}
		for i, r := range g.rows {
			g.rows[i].drive = r.caller.with(l)
		}
		if by == byCertificate {
			g.most = proxiedTarget
		}
		groups = append(groups, g)
	}
	return groups
}
