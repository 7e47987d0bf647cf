package metrics

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

// labelsFor gives any values for a metric's labels.
func labelsFor(d *Def) []string {
	out := make([]string, len(d.Labels))
	for i := range out {
		out[i] = "x"
	}
	return out
}

// everySeries makes one series of every metric of the list.
func everySeries() *Registry {
	r := New()
	for _, d := range All() {
		switch d.Type {
		case TypeCounter:
			r.Counter(d, labelsFor(d)...).Inc()
		case TypeGauge:
			r.Gauge(d, labelsFor(d)...).Set(1)
		case TypeHistogram:
			r.Histogram(d, labelsFor(d)...).Observe(1)
		case TypeCollected:
			r.Collect(d, func(emit func(float64, ...string)) { emit(1, labelsFor(d)...) })
		}
	}
	return r
}

func TestEveryMetricIsInTheListAndServed(t *testing.T) {
	families, err := everySeries().Gatherer().Gather()
	if err != nil {
		t.Fatal(err)
	}
	var served, listed []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "holdfast_") {
			served = append(served, f.GetName())
		} else if !strings.HasPrefix(f.GetName(), "go_") && !strings.HasPrefix(f.GetName(), "process_") {
			t.Errorf("%s has a foreign name", f.GetName())
		}
	}
	for _, d := range All() {
		listed = append(listed, d.Name)
	}
	slices.Sort(listed)
	if !slices.Equal(served, listed) {
		t.Errorf("served and listed differ\nserved %v\nlisted %v", served, listed)
	}
}

// A Def that no section names would compile, and fail only when somebody asks for its handle.
func TestEveryDeclaredMetricIsInASection(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "list.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	declared := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if u, ok := n.(*ast.UnaryExpr); ok {
			if c, ok := u.X.(*ast.CompositeLit); ok {
				if id, ok := c.Type.(*ast.Ident); ok && id.Name == "Def" {
					declared++
				}
			}
		}
		return true
	})
	if declared != len(All()) {
		t.Errorf("list.go declares %d metrics and its sections name %d", declared, len(All()))
	}
}

func TestNamesFollowPrometheusRules(t *testing.T) {
	problems, err := testutil.GatherAndLint(everySeries().Gatherer())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "holdfast_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	for _, d := range All() {
		if !strings.HasSuffix(d.Help, ".") {
			t.Errorf("%s: help is not a sentence", d.Name)
		}
		if (d.Type == TypeHistogram) != (len(d.Buckets) > 0) || !slices.IsSorted(d.Buckets) {
			t.Errorf("%s: buckets belong to histograms, rising", d.Name)
		}
	}
}

func TestDocsAreCurrent(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "metrics.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(Markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != Markdown() {
		t.Errorf("docs/metrics.md is stale (%v): go test ./internal/base/metrics -run Docs -update", err)
	}
}

func TestHandlesDoNotAllocate(t *testing.T) {
	r := New()
	c, g, h := r.Counter(Requests, "Produce"), r.Gauge(RequestsInFlight), r.Histogram(RequestSeconds, "Produce")
	allocs := testing.AllocsPerRun(1000, func() {
		c.Inc()
		c.Add(7)
		g.Add(-1)
		g.Set(3)
		h.Seconds(3 * time.Millisecond)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestHandlesCount(t *testing.T) {
	r := New()
	r.Counter(Requests, "Fetch").Add(2)
	r.Counter(Requests, "Fetch").Inc() // the same series
	r.Gauge(RequestsInFlight).Add(5)
	r.Gauge(RequestsInFlight).Add(-2)
	r.Histogram(CommitSeconds).Seconds(30 * time.Millisecond)
	topics := 3.0
	r.GaugeFunc(Topics, func() float64 { return topics })
	topics = 4
	r.Collect(LogBytes, func(emit func(float64, ...string)) { emit(10, "a"); emit(20, "b") })
	page := scrape(r)
	for _, want := range []string{
		`holdfast_requests_total{api="Fetch"} 3`, `holdfast_requests_in_flight 3`, `holdfast_commit_seconds_bucket{le="0.05"} 1`,
		`holdfast_commit_seconds_bucket{le="0.02"} 0`, `holdfast_commit_seconds_count 1`, `holdfast_topics 4`,
		`holdfast_log_bytes{topic="a"} 10`, `holdfast_log_bytes{topic="b"} 20`, `holdfast_produce_waiting 0`,
		"# HELP holdfast_topics Topics in the cluster.", "# TYPE holdfast_requests_total counter",
	} {
		if !strings.Contains(page, want+"\n") {
			t.Errorf("/metrics lacks %q", want)
		}
	}
	r.Delete(Requests, "Fetch")
	if strings.Contains(scrape(r), `holdfast_requests_total{`) {
		t.Error("a deleted series is still served")
	}
}

// One bad collector must not take the rest of the page with it.
func TestABrokenCollectorLeavesTheOthers(t *testing.T) {
	r := New()
	r.Collect(LogBytes, func(emit func(float64, ...string)) { emit(1) }) // label missing
	if page := scrape(r); !strings.Contains(page, "holdfast_requests_in_flight 0") {
		t.Error("the page is empty")
	}
}

func TestZeroHandlesDoNothing(t *testing.T) {
	Counter{}.Inc()
	Counter{}.Add(1)
	Gauge{}.Set(1)
	Gauge{}.Add(1)
	Histogram{}.Observe(1)
	Histogram{}.Seconds(time.Second)
}

func TestMisuseIsABug(t *testing.T) {
	for name, use := range map[string]func(r *Registry){
		"wrong type":     func(r *Registry) { r.Gauge(Requests, "x") },
		"missing label":  func(r *Registry) { r.Counter(Requests) },
		"not collected":  func(r *Registry) { r.GaugeFunc(Requests, func() float64 { return 0 }) },
		"collects twice": func(r *Registry) { r.GaugeFunc(Topics, nil); r.GaugeFunc(Topics, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			use(New())
		})
	}
}

func scrape(r *Registry) string {
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}
