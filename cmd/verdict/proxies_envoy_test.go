package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	extauthzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"github.com/goccy/go-yaml"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/anypb"
)

// TestEnvoysConfiguration reads what docs/proxies.md shows as Envoy would, by its
// published types: each name and value is one of Envoy's.
func TestEnvoysConfiguration(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "proxies.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n# envoy.yaml\n(.*?)```").FindSubmatch(page)
	perRoute := regexp.MustCompile("(?s)```yaml\ntyped_per_filter_config:\n  envoy.filters.http.ext_authz:\n(.*?)```").FindSubmatch(page)
	if shown == nil || perRoute == nil {
		t.Fatal("the page shows no envoy.yaml")
	}
	var bootstrap bootstrapv3.Bootstrap
	fromYAML(t, shown[1], func(text []byte) error { return protojson.Unmarshal(text, &bootstrap) })
	if err := bootstrap.ValidateAll(); err != nil {
		t.Error(err)
	}
	var manager managerv3.HttpConnectionManager
	if err := bootstrap.GetStaticResources().GetListeners()[0].GetFilterChains()[0].GetFilters()[0].GetTypedConfig().UnmarshalTo(&manager); err != nil {
		t.Fatal(err)
	}
	var filter extauthzv3.ExtAuthz
	if err := manager.GetHttpFilters()[0].GetTypedConfig().UnmarshalTo(&filter); err != nil {
		t.Fatal(err)
	}
	if filter.GetFailureModeAllow() || filter.GetWithRequestBody() != nil || filter.GetAllowedHeaders() != nil {
		t.Errorf("the filter is %v", &filter)
	}
	clusters := map[string]bool{}
	for _, cluster := range bootstrap.GetStaticResources().GetClusters() {
		clusters[cluster.GetName()] = true
	}
	if name := filter.GetGrpcService().GetEnvoyGrpc().GetClusterName(); !clusters[name] {
		t.Errorf("there is no cluster %s", name)
	}

	var route extauthzv3.ExtAuthzPerRoute
	fromYAML(t, perRoute[1], func(text []byte) error {
		var config anypb.Any
		if err := protojson.Unmarshal(text, &config); err != nil {
			return err
		}
		return config.UnmarshalTo(&route)
	})
	if tenant := route.GetCheckSettings().GetContextExtensions()["verdict.tenant"]; tenant != "shop" {
		t.Errorf("the route is of tenant %q", tenant)
	}
}

// fromYAML gives what is written as YAML to a reader of JSON.
func fromYAML(t *testing.T, text []byte, read func([]byte) error) {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := read(asJSON); err != nil {
		t.Fatalf("%v in\n%s", err, asJSON)
	}
}
