package metrics

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// watched is for how many minutes the series of the tests run, a value a minute.
const watched = 72 * 60

// A series begins with a value and grows by as much each minute.
type series struct {
	name     string
	from, by float64
}

func steady(name string, value float64) series { return series{name, value, 0} }

func rising(name string, by float64) series { return series{name, 0, by} }

// buckets are those of a histogram, of which so many a minute take at most half of a
// bound, and so many more than that, at most twice as much.
func buckets(name string, bound, within, beyond float64) []series {
	at := func(le string, by float64) series {
		return rising(strings.TrimSuffix(name, "}")+`,le="`+le+`"}`, by)
	}
	return []series{
		at(fmt.Sprint(bound/2), within), at(fmt.Sprint(bound), within), at(fmt.Sprint(bound*2), within+beyond), at("+Inf", within+beyond),
	}
}

// TestAlertsFire runs each alert by Prometheus' own engine, at the end of three days:
// on series on which it has to fire, and on some like them on which it must not.
func TestAlertsFire(t *testing.T) {
	decisions := func(failing float64) []series {
		return []series{
			rising(`verdict_decisions_total{tenant="blue",outcome="error",evaluator="closure"}`, failing),
			rising(`verdict_decisions_total{tenant="blue",outcome="allow",evaluator="closure"}`, 1000-failing),
		}
	}
	faults := func(internal float64) []series {
		return []series{
			rising(`verdict_grpc_calls_total{method="m",code="Internal"}`, internal), rising(`verdict_grpc_calls_total{method="m",code="OK"}`, 5),
			rising(`verdict_http_requests_total{route="r",code="500"}`, 0), rising(`verdict_http_requests_total{route="r",code="503"}`, 5),
			rising(`verdict_decision_errors_total{tenant="blue",kind="internal"}`, 0), rising(`verdict_decision_errors_total{tenant="blue",kind="evaluation"}`, 5),
		}
	}
	active := func(closure, topdown float64) []series {
		return []series{
			steady(`verdict_policy_active{tenant="blue",evaluator="closure"}`, closure), steady(`verdict_policy_active{tenant="blue",evaluator="topdown"}`, topdown),
		}
	}
	cache := func(misses, bytes float64) []series {
		return []series{
			rising(`verdict_cache_hits_total{cache="entities"}`, 100), rising(`verdict_cache_misses_total{cache="entities"}`, misses),
			steady(`verdict_cache_bytes{cache="entities"}`, bytes), steady(`verdict_cache_max_bytes{cache="entities"}`, 100),
		}
	}
	const end = watched * 60 // of the series, whose first value is of 1970
	backup := func(at, revision float64) []series {
		return []series{
			steady("verdict_backup_timestamp_seconds", at), steady("verdict_backup_revision", revision), steady("verdict_directory_revision", 100),
		}
	}
	files := func(open float64) []series {
		return []series{steady("process_open_fds", open), steady("process_max_fds", 1000), steady("verdict_ready", 1)}
	}
	all := alerts(t)
	tried := map[string]bool{}
	for alert, tt := range map[string]struct {
		fires []series
		not   [][]series
	}{
		"VerdictIsAway":     {[]series{steady("up", 1)}, [][]series{{steady("verdict_ready", 0)}}},
		"VerdictIsNotReady": {[]series{steady("verdict_ready", 0)}, [][]series{{steady("verdict_ready", 1)}}},
		"VerdictHasAFault":  {faults(0.2), [][]series{faults(0)}},
		"VerdictDecidesWithErrors": {
			decisions(11), [][]series{decisions(9), {rising(`verdict_decisions_total{tenant="blue",outcome="error",evaluator="closure"}`, 0)}},
		},
		"VerdictDecidesSlowly": {
			buckets(`verdict_decision_duration_seconds_bucket{tenant="blue"}`, 0.01, 980, 20),
			[][]series{buckets(`verdict_decision_duration_seconds_bucket{tenant="blue"}`, 0.01, 995, 5), buckets(`verdict_decision_duration_seconds_bucket{tenant="blue"}`, 0.01, 0, 0)},
		},
		"VerdictReachesLimits": {
			[]series{rising(`verdict_limits_reached_total{limit="steps"}`, 7)}, [][]series{{rising(`verdict_limits_reached_total{limit="steps"}`, 5)}},
		},
		"VerdictIsOverloaded": {
			[]series{rising(`verdict_refusals_total{protocol="grpc",cause="overloaded"}`, 1)}, [][]series{{rising(`verdict_refusals_total{protocol="grpc",cause="invalid"}`, 1)}},
		},
		"VerdictRefusesCallers": {
			[]series{rising(`verdict_refusals_total{protocol="http",cause="unauthenticated"}`, 61)},
			[][]series{{rising(`verdict_refusals_total{protocol="http",cause="unauthenticated"}`, 59)}, {rising(`verdict_refusals_total{protocol="http",cause="not_found"}`, 600)}},
		},
		"VerdictTenantHasNoPolicy": {active(0, 0), [][]series{active(1, 0), active(0, 1)}},
		"VerdictPolicyIsNotTheLatest": {
			[]series{steady(`verdict_policy_last_activation_successful{tenant="blue"}`, 0)}, [][]series{{steady(`verdict_policy_last_activation_successful{tenant="blue"}`, 1)}},
		},
		"VerdictPolicyRunsSlowly": {active(0, 1), [][]series{active(1, 0)}},
		"VerdictStoreIsDamaged":   {[]series{steady("verdict_store_damaged", 1)}, [][]series{{steady("verdict_store_damaged", 0)}}},
		"VerdictRefusesWrites":    {[]series{steady("verdict_store_writable", 0)}, [][]series{{steady("verdict_store_writable", 1)}}},
		"VerdictDiskIsNearlyFull": {[]series{steady("verdict_store_free_bytes", 1.9e9)}, [][]series{{steady("verdict_store_free_bytes", 2.1e9)}}},
		"VerdictBackupIsOld": {
			backup(end-49*3600, 99), [][]series{backup(end-47*3600, 99), backup(end-49*3600, 100), backup(0, 0)},
		},
		"VerdictWritesSlowly": {
			buckets("verdict_store_commit_duration_seconds_bucket{job=\"verdict\"}", 0.5, 98, 2), [][]series{buckets("verdict_store_commit_duration_seconds_bucket{job=\"verdict\"}", 0.5, 100, 0.5)},
		},
		"VerdictCacheIsSmall":    {cache(50, 95), [][]series{cache(50, 80), cache(30, 95)}},
		"VerdictHasFewFilesLeft": {files(801), [][]series{files(799), files(801)[:2]}},
		"VerdictChangeRecordsAreNearTheirBound": {
			[]series{steady("verdict_audit_bytes", 81), steady("verdict_audit_max_bytes", 100)},
			[][]series{{steady("verdict_audit_bytes", 79), steady("verdict_audit_max_bytes", 100)}, {steady("verdict_audit_max_bytes", 100)}},
		},
		"VerdictRestarts": {
			[]series{rising("process_start_time_seconds", 1), steady("verdict_ready", 1)},
			[][]series{{steady("process_start_time_seconds", 1), steady("verdict_ready", 1)}, {rising("process_start_time_seconds", 1)}},
		},
	} {
		t.Run(alert, func(t *testing.T) {
			at := slices.IndexFunc(all, func(rule rulefmt.Rule) bool { return rule.Alert == alert })
			if at < 0 {
				t.Fatal("there is no such alert")
			}
			if !fires(t, all[at], tt.fires) {
				t.Errorf("it does not fire on %+v", tt.fires)
			}
			for _, series := range tt.not {
				if fires(t, all[at], series) {
					t.Errorf("it fires on %+v", series)
				}
			}
			tried[alert] = true
		})
	}
	for _, rule := range all {
		if !tried[rule.Alert] {
			t.Errorf("%s was not tried", rule.Alert)
		}
	}
}

// alerts are the rules.
func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var all []rulefmt.Rule
	for _, group := range groups.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// fires reports whether an alert's condition holds at the end of some series, and has
// held for as long as it has to.
func fires(t *testing.T, rule rulefmt.Rule, all []series) bool {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e7, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{})})
	defer engine.Close()
	stored := stored(t, all)
	for back := time.Duration(0); back <= time.Duration(rule.For); back += time.Minute {
		query, err := engine.NewInstantQuery(t.Context(), stored, nil, rule.Expr, time.Unix(watched*60, 0).Add(-back))
		if err != nil {
			t.Fatal(err)
		}
		result := query.Exec(t.Context())
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		holds := len(result.Value.(promql.Vector)) > 0
		query.Close()
		if !holds {
			return false
		}
	}
	return true
}

// stored are series as Prometheus has them, of one instance.
func stored(t *testing.T, all []series) storage.Queryable {
	t.Helper()
	entries := make([]storage.Series, len(all))
	for i, one := range all {
		metric, err := parser.NewParser(parser.Options{}).ParseMetric(one.name)
		if err != nil {
			t.Fatal(err)
		}
		samples := make([]chunks.Sample, watched+1)
		for minute := range samples {
			samples[minute] = sample{int64(minute) * 60_000, one.from + float64(minute)*one.by}
		}
		entries[i] = storage.NewListSeries(labels.NewBuilder(metric).Set("instance", "a").Set("job", "verdict").Labels(), samples)
	}
	return &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			return &found{all: slices.DeleteFunc(slices.Clone(entries), func(entry storage.Series) bool {
				return slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(entry.Labels().Get(m.Name)) })
			})}
		},
	}}
}

// found are the series that a selector finds.
type found struct {
	all []storage.Series
	at  int
}

func (f *found) Next() bool                        { f.at++; return f.at <= len(f.all) }
func (f *found) At() storage.Series                { return f.all[f.at-1] }
func (f *found) Err() error                        { return nil }
func (f *found) Warnings() annotations.Annotations { return nil }

// A sample is one value.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
