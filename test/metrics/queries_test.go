package metrics

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// A metric is what the table says of one: its labels, each with its values where they are
// enumerated.
type metric struct {
	typ    string
	labels map[string][]string
}

// outside are metrics of the Go runtime and of the process, and labels that Prometheus
// adds to all.
var (
	outside     = regexp.MustCompile(`^(go|process)_[a-z_]+$`)
	addedLabels = []string{"instance", "job", "le"}
)

// table reads the metrics from the table of docs/metrics.md.
func table(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(verdict_[a-z0-9_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")
	all := map[string]metric{}
	for _, cells := range row.FindAllStringSubmatch(string(text), -1) {
		m := metric{typ: cells[2], labels: map[string][]string{}}
		for label := range strings.SplitSeq(cells[3], "; ") {
			if name, values, _ := strings.Cut(label, ": "); name != "" {
				m.labels[strings.Trim(name, "`")] = strings.FieldsFunc(values, func(r rune) bool { return r == ',' || r == ' ' })
			}
		}
		all[cells[1]] = m
	}
	if len(all) < 30 {
		t.Fatalf("only %d metrics were found", len(all))
	}
	return all
}

// find is the metric that a series is of: of a histogram there are three.
func find(metrics map[string]metric, series string) (m metric, isBucket, found bool) {
	if m, found = metrics[series]; found {
		return m, false, m.typ != "histogram"
	}
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if name, cut := strings.CutSuffix(series, suffix); cut {
			if m, found = metrics[name]; found && m.typ == "histogram" {
				return m, suffix == "_bucket", true
			}
		}
	}
	return metric{}, false, false
}

// check lists what of a query there is not.
func check(metrics map[string]metric, query string) (wrong []string) {
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return []string{err.Error()}
	}
	known := map[string]bool{} // the labels of all that the query asks for
	for _, name := range addedLabels {
		known[name] = true
	}
	parser.Inspect(parsed, func(node parser.Node, path []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is || outside.MatchString(selector.Name) {
			return nil
		}
		m, isBucket, found := find(metrics, selector.Name)
		if !found {
			wrong = append(wrong, "there is no metric "+selector.Name)
			return nil
		}
		for name := range m.labels {
			known[name] = true
		}
		for _, matcher := range selector.LabelMatchers {
			wrong = append(wrong, checkMatcher(selector.Name, m, matcher)...)
		}
		isRate := slices.ContainsFunc(path, func(above parser.Node) bool {
			call, is := above.(*parser.Call)
			return is && slices.Contains([]string{"rate", "increase", "irate"}, call.Func.Name)
		})
		if isCounter := m.typ != "gauge"; isCounter != isRate {
			wrong = append(wrong, fmt.Sprintf("%s is a %s, and asked for otherwise", selector.Name, m.typ))
		}
		if isBucket && !byBound(path) {
			wrong = append(wrong, selector.Name+" is not by le")
		}
		return nil
	})
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		var names []string
		switch node := node.(type) {
		case *parser.AggregateExpr:
			names = node.Grouping
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				names = node.VectorMatching.MatchingLabels
			}
		}
		for _, name := range names {
			if !known[name] {
				wrong = append(wrong, "nothing has the label "+name)
			}
		}
		return nil
	})
	return wrong
}

// byBound reports whether the innermost sum around a histogram's buckets keeps their
// bounds.
func byBound(path []parser.Node) bool {
	for _, above := range slices.Backward(path) {
		if sum, is := above.(*parser.AggregateExpr); is {
			return slices.Contains(sum.Grouping, "le")
		}
	}
	return true
}

func checkMatcher(series string, m metric, matcher *labels.Matcher) (wrong []string) {
	if matcher.Name == model.MetricNameLabel || slices.Contains(addedLabels, matcher.Name) {
		return nil
	}
	values, has := m.labels[matcher.Name]
	if !has {
		return []string{fmt.Sprintf("%s has no label %s", series, matcher.Name)}
	}
	if len(values) == 0 || matcher.Type == labels.MatchNotEqual || matcher.Type == labels.MatchNotRegexp {
		return nil
	}
	wanted := []string{matcher.Value}
	if matcher.Type == labels.MatchRegexp {
		wanted = matcher.SetMatches()
	}
	for _, value := range wanted {
		if !slices.Contains(values, value) {
			wrong = append(wrong, fmt.Sprintf("%s is never %s=%q", series, matcher.Name, value))
		}
	}
	return wrong
}

// TestCheckFindsWhatThereIsNot has each way to be wrong be found.
func TestCheckFindsWhatThereIsNot(t *testing.T) {
	metrics := table(t)
	for query, right := range map[string]bool{
		`rate(verdict_decisions_total{outcome="allow"}[5m])`:                                        true,
		`sum by (tenant) (rate(verdict_decisions_total{outcome=~"allow|deny"}[5m]))`:                true,
		`histogram_quantile(0.9, sum by (le) (rate(verdict_decision_duration_seconds_bucket[5m])))`: true,
		`verdict_ready == 0`:                                         true,
		`verdict_ready ==`:                                           false,
		`verdict_redy == 0`:                                          false,
		`verdict_ready_count == 0`:                                   false,
		`rate(verdict_ready[5m])`:                                    false,
		`verdict_decisions_total`:                                    false,
		`rate(verdict_decision_duration_seconds[5m])`:                false,
		`rate(verdict_decisions_total{outcome="allowed"}[5m])`:       false,
		`rate(verdict_decisions_total{outcome=~"allow|denied"}[5m])`: false,
		`rate(verdict_decisions_total{result="allow"}[5m])`:          false,
		`sum by (tenants) (rate(verdict_decisions_total[5m]))`:       false,
		`verdict_ready and on (instances) verdict_ready`:             false,
		`histogram_quantile(0.9, sum by (tenant) (rate(verdict_decision_duration_seconds_bucket[5m])))`: false,
		`quantile_histogram(0.9, rate(verdict_decision_duration_seconds_bucket[5m]))`:                   false,
	} {
		if wrong := check(metrics, query); (len(wrong) == 0) != right {
			t.Errorf("%s: %q", query, wrong)
		}
	}
}

func TestAlertsAskForWhatThereIs(t *testing.T) {
	const file = "../../deploy/prometheus/alerts.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Errorf("%s: %v", file, err)
	}
	metrics, alerts := table(t), 0
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			alerts++
			for _, wrong := range check(metrics, rule.Expr) {
				t.Errorf("%s: %s", rule.Alert, wrong)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" || rule.Labels["severity"] == "" {
				t.Errorf("%s does not say how bad it is, what has happened and what to do", rule.Alert)
			}
			used := regexp.MustCompile(`\$labels\.([a-z]+)`).FindAllStringSubmatch(fmt.Sprint(rule.Annotations), -1)
			for _, label := range used {
				if !left(rule.Expr, label[1]) {
					t.Errorf("%s names the label %s, which its expression does not leave", rule.Alert, label[1])
				}
			}
		}
	}
	if alerts < 15 {
		t.Errorf("only %d alerts were found", alerts)
	}
}

// left reports whether a label is left by an expression: where it aggregates, it must be
// one that it aggregates by.
func left(expression, label string) bool {
	by := regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(expression, -1)
	for _, names := range by {
		if !slices.Contains(strings.Split(names[1], ", "), label) {
			return false
		}
	}
	return true
}

// TestTheDashboardAsksForWhatThereIs reads the queries of all panels and variables.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	const file = "../../deploy/grafana/verdict.json"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ H, W, X, Y int }
			Targets []struct{ Expr, LegendFormat string }
		}
		Templating struct {
			List []struct {
				Name, Type string
				Query      any
			}
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	stands := strings.NewReplacer("$__rate_interval", "5m", "$tenant", ".+", "$instance", ".+")
	metrics, ids, queries := table(t), map[int]bool{}, 0
	for _, panel := range dashboard.Panels {
		if ids[panel.ID] || panel.ID == 0 {
			t.Errorf("panel %q has the id %d, which is another's or none", panel.Title, panel.ID)
		}
		ids[panel.ID] = true
		if panel.GridPos.X+panel.GridPos.W > 24 {
			t.Errorf("panel %q is beyond the dashboard's edge", panel.Title)
		}
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("panel %q asks for nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries++
			query := stands.Replace(target.Expr)
			if strings.Contains(query, "$") {
				t.Errorf("panel %q: %s has a variable that there is not", panel.Title, target.Expr)
			}
			for _, wrong := range check(metrics, query) {
				t.Errorf("panel %q: %s", panel.Title, wrong)
			}
			for _, label := range regexp.MustCompile(`{{([a-z]+)}}`).FindAllStringSubmatch(target.LegendFormat, -1) {
				if !left(target.Expr, label[1]) {
					t.Errorf("panel %q names the label %s, which its query does not leave", panel.Title, label[1])
				}
			}
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Type != "query" {
			continue
		}
		series := regexp.MustCompile(`^label_values\(([a-z_]+), ?([a-z]+)\)$`).FindStringSubmatch(fmt.Sprint(variable.Query))
		if series == nil {
			t.Errorf("variable %s asks %v", variable.Name, variable.Query)
			continue
		}
		m, _, found := find(metrics, series[1])
		_, has := m.labels[series[2]]
		if !found || !has && !slices.Contains(addedLabels, series[2]) {
			t.Errorf("variable %s asks %v, which there is not", variable.Name, variable.Query)
		}
	}
	if dashboard.UID == "" || queries < 25 {
		t.Errorf("the dashboard %q has %d queries", dashboard.UID, queries)
	}
}
