package caller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"

	"github.com/verdictpdp/verdict/api/authz"
)

// KeysAt reads keys at an address, https, or http on loopback, to try it out.
// Redirects are not followed: whoever could redirect could say who signs.
func KeysAt(address string) (func(context.Context) ([]byte, error), error) {
	parsed, err := url.Parse(address)
	if err == nil {
		address = parsed.Redacted()
	}
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Scheme != "https" && (parsed.Scheme != "http" || !isLoopback(parsed.Hostname())) {
		return nil, authz.Errorf(authz.Invalid, "%s is no address of keys: expected https://…", authz.Quote(address))
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	transport.DisableKeepAlives = true
	client := &http.Client{
		Transport: transport, Timeout: maxReading,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
	}
	return func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Accept", "application/jwk-set+json, application/json")
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the answer is %s", response.Status)
		}
		return readKeys(response.Body)
	}, nil
}

// KeysIn reads keys in a file.
func KeysIn(file string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		return readKeys(opened)
	}
}

// readKeys reads one byte more than there may be, which is refused later.
func readKeys(from io.Reader) ([]byte, error) {
	return io.ReadAll(io.LimitReader(from, MaxKeysBytes+1))
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
