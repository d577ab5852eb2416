package authzen

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// metadataHandler serves the tenants default and blue.
func metadataHandler(t *testing.T, publicURL string) http.Handler {
	t.Helper()
	o := Options{
		Decider: allowReads, Ready: func() error { return nil }, Logger: zap.NewNop(),
		HasTenant: func(name string) bool { return name == "default" || name == "blue" },
	}
	if publicURL != "" {
		var err error
		if o.PublicURL, err = ParsePublicURL(publicURL); err != nil {
			t.Fatal(err)
		}
	}
	return newOpen(o)
}

func TestMetadata(t *testing.T) {
	const root, blue = "https://pdp.example.com", "https://pdp.example.com/tenants/blue"
	tests := []struct {
		name, publicURL, path, want string
	}{
		{"at the root", "https://pdp.example.com/", wellKnown, root},
		{"of a tenant", "https://pdp.example.com", wellKnown + "/tenants/blue", blue},
		{"of a tenant whose name is escaped", "https://pdp.example.com", wellKnown + "/tenants/bl%75e", blue},
		{"of the default tenant by its name", "https://pdp.example.com", wellKnown + "/tenants/default", root + "/tenants/default"},
		{"of a URL with a path", "https://pdp.example.com/authz", wellKnown + "/authz", root + "/authz"},
		{"of a tenant, of a URL with a path", "https://pdp.example.com/authz", wellKnown + "/authz/tenants/blue", root + "/authz/tenants/blue"},
		{"with the path taken away", "https://pdp.example.com/authz", wellKnown, root + "/authz"},
		{"of a tenant, with the path taken away", "https://pdp.example.com/authz", wellKnown + "/tenants/blue", root + "/authz/tenants/blue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				request := httptest.NewRequest(method, tt.path, nil)
				request.Host = "attacker.example.com"
				request.Header.Set("X-Forwarded-Host", "attacker.example.com")
				response := httptest.NewRecorder()
				metadataHandler(t, tt.publicURL).ServeHTTP(response, request)
				want := `{"policy_decision_point":"` + tt.want + `",` +
					`"access_evaluation_endpoint":"` + tt.want + `/access/v1/evaluation",` +
					`"access_evaluations_endpoint":"` + tt.want + `/access/v1/evaluations"}`
				if got := strings.TrimSpace(response.Body.String()); response.Code != http.StatusOK || got != want {
					t.Errorf("%s: status %d, body\n%s\nwant 200 and\n%s", method, response.Code, got, want)
				}
				if contentType, cache := response.Header().Get("Content-Type"), response.Header().Get("Cache-Control"); contentType != "application/json" || cache != "public, max-age=300" {
					t.Errorf("Content-Type %q, Cache-Control %q", contentType, cache)
				}
			}
		})
	}
}

func TestWhatHasNoMetadata(t *testing.T) {
	tests := []struct {
		name, publicURL, method, path string
		wantStatus                    int
		want                          string
	}{
		{"a server that was not told its URL", "", "GET", wellKnown, 404, "--public-url"},
		{"a tenant of one", "", "GET", wellKnown + "/tenants/blue", 404, "http.public_url"},
		{"an unknown tenant", "https://pdp.example.com", "GET", wellKnown + "/tenants/red", 404, `no tenant "red"`},
		{"a tenant whose name could close the string", "https://pdp.example.com", "GET", wellKnown + "/tenants/%22,%22", 404, "no tenant"},
		{"no tenant", "https://pdp.example.com", "GET", wellKnown + "/tenants/", 404, "there is nothing at"},
		{"another path", "https://pdp.example.com/authz", "GET", wellKnown + "/other", 404, "there is nothing at"},
		{"a write", "https://pdp.example.com", "POST", wellKnown, 405, "expected GET or HEAD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response := httptest.NewRecorder()
			metadataHandler(t, tt.publicURL).ServeHTTP(response, httptest.NewRequest(tt.method, tt.path, nil))
			failed := failureIn(t, response)
			if response.Code != tt.wantStatus || failed.Status != tt.wantStatus || !strings.Contains(failed.Message, tt.want) {
				t.Errorf("%d %+v, want %d and %q", response.Code, failed, tt.wantStatus, tt.want)
			}
			if cache := response.Header().Get("Cache-Control"); cache != "" {
				t.Errorf("Cache-Control = %q on an error", cache)
			}
		})
	}
}

// TestEndpointsInMetadataAreServed asks each endpoint that metadata lists, with
// the path of the public URL and without it.
func TestEndpointsInMetadataAreServed(t *testing.T) {
	handler := metadataHandler(t, "https://pdp.example.com/authz")
	for _, path := range []string{"", "/authz", "/tenants/blue", "/authz/tenants/blue"} {
		for _, endpoint := range []string{evaluationPath, evaluationsPath} {
			response := post(t, handler, path+endpoint, readRecord)
			if response.Code != http.StatusOK || !strings.Contains(response.Body.String(), `"decision":true`) {
				t.Errorf("%s: status %d, %s", path+endpoint, response.Code, response.Body)
			}
		}
	}
}
