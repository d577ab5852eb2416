package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"
)

const (
	users    = 1_000
	services = 100 // of three routes each

	byCertificate, byToken = "certificate", "token"
)

const policy = `package authz

import rego.v2

import data.verdict.request

allow if {
	input.action.name == "read"
	request.subject.attributes.team == request.resource.attributes.team
}

obligations.http.headers["x-user"] := input.subject.id if allow
`

// A world is what is asked.
type world struct{ loads []load }

// newWorld writes a bundle, a directory and a configuration, and makes the loads.
func newWorld(dir string) (*world, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	bundle := filepath.Join(dir, "bundle")
	data, err := json.Marshal(map[string]any{"http": map[string]any{
		"routes":     routes(),
		"principals": map[string]any{"type": "user", "prefix": "spiffe://example/"},
		"tokens": []any{map[string]any{
			"issuer": "https://idp.example", "audience": "bench", "algorithm": "ES256", "keys": map[string]any{"keys": []any{publicKey(key)}},
		}},
	}})
	if err != nil {
		return nil, err
	}
	var directory strings.Builder
	for i := range users {
		fmt.Fprintf(&directory, `{"entity":{"type":"user","id":"u%d","attributes":{"team":"t%d"}}}`+"\n", i, i%10)
		fmt.Fprintf(&directory, `{"entity":{"type":"item","id":"i%d","attributes":{"team":"t%d"}}}`+"\n", i, i%10)
	}
	if err := errors.Join(
		os.Mkdir(bundle, 0o700),
		os.WriteFile(filepath.Join(bundle, "authz.rego"), []byte(policy), 0o600),
		os.WriteFile(filepath.Join(bundle, "data.json"), data, 0o600),
		os.WriteFile(filepath.Join(dir, "directory.jsonl"), []byte(directory.String()), 0o600),
		os.WriteFile(filepath.Join(dir, "verdict.yaml"), fmt.Appendf(nil, "ext_authz: {enabled: true}\nlimits: {evaluation: 10s}\ntenants: {default: {bundle: %q}}\n", bundle), 0o600),
	); err != nil {
		return nil, err
	}
	w := &world{}
	for _, name := range []string{byCertificate, byToken} {
		l := load{name: name}
		for i := range users {
			request, err := check(i, name, key)
			if err != nil {
				return nil, err
			}
			message, err := proto.Marshal(request)
			if err != nil {
				return nil, err
			}
			l.messages = append(l.messages, message)
		}
		w.loads = append(w.loads, l)
	}
	return w, nil
}

func routes() (routes []any) {
	for i := range services {
		base := fmt.Sprintf("/service%d/items/", i)
		routes = append(routes,
			map[string]any{"path": base + "{id}", "type": "item", "id": "{id}"},
			map[string]any{"path": base + "{item}/notes/{note}", "type": "note", "id": "{note}", "methods": []string{"GET", "PUT"}},
			map[string]any{"path": base + "{id}/close", "type": "item", "id": "{id}", "action": "close"})
	}
	return routes
}

// check is the i-th of a stream of checks, with the headers of a browser.
func check(i int, subject string, key *ecdsa.PrivateKey) (*authv3.CheckRequest, error) {
	path := fmt.Sprintf("/service%d/items/i%d?full=1", i%services, i)
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
	if subject == byCertificate {
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

// save asks for everything once, checks that it is allowed, and keeps an answer for
// the echo.
func (w *world) save(ctx context.Context, verdict *server, dir string) error {
	client := authv3.NewAuthorizationClient(verdict.conns[0])
	var last *authv3.CheckResponse
	for _, l := range w.loads {
		for _, message := range l.messages {
			var request authv3.CheckRequest
			if err := proto.Unmarshal(message, &request); err != nil {
				return err
			}
			response, err := client.Check(ctx, &request)
			if err != nil {
				return err
			}
			if response.GetOkResponse() == nil {
				return fmt.Errorf("%s is answered %v", &request, response)
			}
			last = response
		}
	}
	data, err := proto.Marshal(last)
	if err != nil {
		return err
	}
	return os.WriteFile(answerFile(dir), data, 0o600)
}

func answerFile(dir string) string { return filepath.Join(dir, "answer") }

var encode = base64.RawURLEncoding.EncodeToString

// publicKey is a key as a JSON Web Key (RFC 7518, section 6.2.1).
func publicKey(key *ecdsa.PrivateKey) map[string]any {
	const half = 32
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err) // a key that was just made has a point
	}
	return map[string]any{"kty": "EC", "crv": "P-256", "kid": "k", "x": encode(point[1 : 1+half]), "y": encode(point[1+half:])}
}

// sign makes a token of claims (RFC 7515, section 3).
func sign(key *ecdsa.PrivateKey, claims string) (string, error) {
	const half = 32
	text := encode([]byte(`{"alg":"ES256","kid":"k"}`)) + "." + encode([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		return "", err
	}
	var signature [2 * half]byte
	for i, part := range []*big.Int{r, s} {
		part.FillBytes(signature[i*half : (i+1)*half])
	}
	return text + "." + encode(signature[:]), nil
}
