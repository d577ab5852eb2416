package metrics

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.uber.org/zap"

	"github.com/verdictpdp/verdict/engine/activation"
	"github.com/verdictpdp/verdict/engine/admission"
	"github.com/verdictpdp/verdict/engine/directory"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md")

const page = "../../docs/metrics.md"

// TestThePageNamesAllMetrics holds the table of docs/metrics.md to the metrics that there
// are; with -update it writes it. The dashboard and the alerts are held to the table, by
// test/metrics.
func TestThePageNamesAllMetrics(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	const head, end = "| metric | type | labels | what it tells |\n| --- | --- | --- | --- |\n", "\n\n"
	before, rest, found := strings.Cut(string(text), head)
	old, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s has no table with the head %s", page, head)
	}
	table := strings.Join(rowsOf(t), "\n")
	if table == old {
		return
	}
	if !*update {
		t.Fatalf("%s says\n%s\n\nand the metrics are\n%s\n\ngo test ./engine/metrics -update writes that", page, old, table)
	}
	if err := os.WriteFile(page, []byte(before+head+table+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestLatenciesAreNativeAndClassic holds that each histogram is told in both ways, to who
// asks for the format that has both.
func TestLatenciesAreNativeAndClassic(t *testing.T) {
	m := full()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	histograms := 0
	for _, family := range families {
		if family.GetType() != dto.MetricType_HISTOGRAM || !strings.HasPrefix(family.GetName(), "verdict_") {
			continue
		}
		histograms++
		for _, metric := range family.GetMetric() {
			if metric.GetHistogram().Schema == nil || len(metric.GetHistogram().GetBucket()) == 0 {
				t.Errorf("%s is %v", family.GetName(), metric)
			}
		}
	}
	if histograms < 4 {
		t.Errorf("there are %d histograms", histograms)
	}
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	request.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	answer := httptest.NewRecorder()
	m.Handler(zap.NewNop()).ServeHTTP(answer, request)
	if format := answer.Header().Get("Content-Type"); !strings.HasPrefix(format, "application/vnd.google.protobuf") {
		t.Errorf("the format is %s", format)
	}
}

// full has a metric of each kind that there is.
func full() *Metrics {
	m := New(Options{Tenants: []string{"T"}, Evaluators: []string{"closure", "topdown"}, Version: "V"})
	m.Method("M", false)
	none := func() Cache { return Cache{} }
	open := func() int { return 0 }
	m.Read(Sources{
		Ready: func() error { return nil }, Policies: func() []activation.Status { return []activation.Status{{Tenant: "T"}} },
		Directory: func(context.Context) (directory.State, error) {
			return directory.State{LastChanges: map[string]uint64{"T": 1}}, nil
		},
		Entities: none, Searches: none, Turns: func() admission.State { return admission.State{} }, UnderWay: func() int64 { return 0 },
		Connections: map[Protocol]func() int{GRPC: open, HTTP: open},
	})
	return m
}

// rowsOf are the rows of the table.
func rowsOf(t *testing.T) []string {
	families, err := full().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "verdict_") {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", family.GetName(), strings.ToLower(family.GetType().String()), labelsOf(family), family.GetHelp()))
		}
	}
	return rows
}

// labelsOf are the labels of a family, with the values of those that are enumerated.
func labelsOf(family *dto.MetricFamily) string {
	values := map[string]map[string]bool{}
	for _, metric := range family.GetMetric() {
		for _, label := range metric.GetLabel() {
			if values[label.GetName()] == nil {
				values[label.GetName()] = map[string]bool{}
			}
			values[label.GetName()][label.GetValue()] = true
		}
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		enumerated := slices.Sorted(maps.Keys(values[name]))
		switch {
		case name == "tenant" || name == "go" || name == "version" || name == "method" && values[name]["M"]:
			all = append(all, "`"+name+"`")
		default:
			all = append(all, "`"+name+"`: "+strings.Join(enumerated, ", "))
		}
	}
	return strings.Join(all, "; ")
}
