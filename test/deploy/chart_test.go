package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Where things are, from here.
const (
	helmDir    = "../../deploy/helm"
	dockerfile = "../../deploy/docker/Dockerfile"
	systemdDir = "../../deploy/systemd"
	page       = "../../docs/running.md"
)

// The forms in which Verdict runs in Kubernetes: a chart, and values for it, which are in
// a file of the chart or on the page.
var forms = []struct{ name, chart, values string }{
	{"service", "verdict", "ci/default-values.yaml"},
	{"service of the page", "verdict", page},
	{"service with everything", "verdict", "ci/everything-values.yaml"},
	{"sidecar", "example-app", ""},
}

func TestChartsPassHelmsLint(t *testing.T) {
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			dir := chartDir(t, form.chart)
			result := lint.RunAll(dir, valuesOf(t, dir, form.values), "default")
			for _, message := range result.Messages {
				if message.Severity >= support.WarningSev {
					t.Errorf("%s", message)
				}
			}
		})
	}
	t.Run("library", func(t *testing.T) {
		dir := chartDir(t, "verdict-sidecar")
		values := map[string]any{"bundle": "b", "directory": map[string]any{"volume": "v"}}
		for _, message := range lint.RunAll(dir, values, "default").Messages {
			if message.Severity >= support.WarningSev {
				t.Errorf("%s", message)
			}
		}
	})
}

// What would not work is refused before anything is installed.
func TestChartsRefuse(t *testing.T) {
	tests := []struct {
		name, chart, change, want string
	}{
		{"no tenant", "verdict", "tenants: {default: null}", "/tenants"},
		{"a tenant without a bundle", "verdict", "tenants: {other: {}}", "configMap"},
		{"a tenant's name that Verdict refuses", "verdict", "tenants: {Shop: {configMap: c}}", "Shop"},
		{"callers that show nothing", "verdict", "config: {callers: {tokens: []}}", "config.callers"},
		{"no certificate", "verdict", "tls: {secret: ''}", "/tls/secret"},
		{"a store elsewhere", "verdict", "config: {data: /tmp/store}", "/config"},
		{"an address of one's own", "verdict", "config: {grpc: {address: ':9000'}}", "/config"},
		{"a certificate of one's own", "verdict", "config: {tls: {cert: /tmp/cert.pem}}", "/config"},
		{"a value that there is not", "verdict", "replicas: 3", "replicas"},
		{"a digest that is none", "verdict", "image: {digest: latest}", "/image/digest"},
		{"a size that is none", "verdict", "persistence: {size: much}", "/persistence/size"},
		{"a sidecar without a bundle", "example-app", "verdict-sidecar: {bundle: ''}", "/bundle"},
		{"a sidecar without a directory", "example-app", "verdict-sidecar: {directory: {volume: ''}}", "/directory/volume"},
		{"a sidecar with a port", "example-app", "verdict-sidecar: {config: {http: {address: ':8182'}}}", "/config"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := chartDir(t, tt.chart)
			values := map[string]any{}
			if tt.chart == "verdict" {
				values = valuesOf(t, dir, "ci/default-values.yaml")
			}
			values = loader.MergeMaps(values, parse(t, tt.change))
			_, err := render(t, dir, values)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want one about %s", err, tt.want)
			}
		})
	}
}

// chartDir is a chart with the charts that it depends on, as helm dependency build
// leaves it.
func chartDir(t *testing.T, name string) string {
	t.Helper()
	source := filepath.Join(helmDir, name)
	metadata, err := chartutil.LoadChartfile(filepath.Join(source, "Chart.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	for _, dependency := range metadata.Dependencies {
		path, isFile := strings.CutPrefix(dependency.Repository, "file://")
		if !isFile {
			t.Fatalf("%s depends on %s: expected a chart in this repository", name, dependency.Repository)
		}
		err := os.CopyFS(filepath.Join(dir, "charts", dependency.Name), os.DirFS(filepath.Join(source, path)))
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// valuesOf are the values in a file of a chart.
func valuesOf(t *testing.T, dir, file string) map[string]any {
	t.Helper()
	if file == "" {
		return map[string]any{}
	}
	if file == page {
		return parse(t, valuesOnPage(t))
	}
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// valuesOnPage is the values.yaml that the page shows.
func valuesOnPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "Put this into `values.yaml`")
	_, after, _ = strings.Cut(after, "```yaml\n")
	values, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatalf("%s shows no values.yaml", page)
	}
	return values
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	var values map[string]any
	if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// render is what helm install would send to Kubernetes, by the templates.
func render(t *testing.T, dir string, values map[string]any) (map[string]string, error) {
	t.Helper()
	loaded, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := chartutil.ProcessDependencies(loaded, values); err != nil {
		return nil, err
	}
	release := common.ReleaseOptions{Name: "shop", Namespace: "default", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, values, release, capabilities(t, loaded))
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(loaded, all)
	for name := range files {
		if base := filepath.Base(name); base == "NOTES.txt" || strings.HasPrefix(base, "_") {
			delete(files, name)
		}
	}
	return files, err
}

// kubernetes is the version whose packages validate what is rendered.
const kubernetes = "v1.37.2"

// capabilities are what charts are told of Kubernetes. Helm takes its version from the
// modules of the running program, which a test does not know.
func capabilities(t *testing.T, of *chart.Chart) *common.Capabilities {
	t.Helper()
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	if !chartutil.IsCompatibleRange(of.Metadata.KubeVersion, version.Version) {
		t.Fatalf("%s wants Kubernetes %s, and this is %s", of.Name(), of.Metadata.KubeVersion, version)
	}
	all := common.DefaultCapabilities.Copy()
	all.KubeVersion = *version
	return all
}
