package node_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/internal/node"
	"holdfast/internal/storage/vfs"
)

// get asks the node's HTTP port, by the given address where there is one.
func get(t *testing.T, n *node.Node, path string, host ...string) (status int, body string) {
	t.Helper()
	address := n.HTTPAddress()
	if len(host) > 0 {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		address = net.JoinHostPort(host[0], port)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestHTTP(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 3)
	for path, want := range map[string]string{
		"/healthz": "ok\n", "/readyz": "ok\n", "/metrics": "holdfast_requests_total{api=\"CreateTopics\"} 1\n",
		"/safe-to-stop": "orders: 3 partitions have no replica elsewhere",
	} {
		if status, body := get(t, n, path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d, %.200q, want 200 and %q", path, status, body, want)
		}
	}
	for _, path := range []string{"/", "/debug/pprof/", "/nothing"} {
		if status, _ := get(t, n, path); status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, status)
		}
	}
	if n := start(t, t.TempDir(), "http.listener=off"); n.HTTPAddress() != "" {
		t.Errorf("off, and yet at %s", n.HTTPAddress())
	}
}

func TestPprofOnRequest(t *testing.T) {
	n := start(t, t.TempDir(), "http.pprof.enable=true")
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1"} {
		if status, _ := get(t, n, path); status != http.StatusOK {
			t.Errorf("%s: %d, want 200", path, status)
		}
	}
}

// Who comes from elsewhere gets metrics and health, and nothing that names what lies inside.
func TestHTTPBeyondLoopback(t *testing.T) {
	elsewhere := outerAddress(t)
	n := start(t, t.TempDir(), "http.listener=0.0.0.0:0", "http.pprof.enable=true")
	for path, want := range map[string]int{
		"/metrics": 200, "/healthz": 200, "/readyz": 200, "/safe-to-stop": 403, "/debug/pprof/": 403, "/debug/pprof/heap": 403, "/debug/pprof/profile": 403,
	} {
		if status, body := get(t, n, path, elsewhere); status != want {
			t.Errorf("%s by %s: %d, %.100q, want %d", path, elsewhere, status, body, want)
		}
	}
	for _, path := range []string{"/safe-to-stop", "/debug/pprof/"} {
		if status, _ := get(t, n, path, "127.0.0.1"); status != 200 {
			t.Errorf("%s by loopback: %d, want 200", path, status)
		}
	}
}

// outerAddress is an address of this machine that is not loopback.
func outerAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() {
			return ip.IP.String()
		}
	}
	t.Skip("this machine has loopback addresses only")
	return ""
}

// A failed disk is told by /readyz, and the process lives on to serve what was synced.
func TestReadyzTellsOfAFailedDirectory(t *testing.T) {
	disk := vfs.NewFaulty(vfs.OS(), nil)
	n := launch(t, disk, t.TempDir())
	createTopic(t, n, "orders", 1)
	fill(t, n, "orders", 0, 1)
	disk.Decide(vfs.FailWhen(func(op vfs.Op) bool {
		return op.Kind == vfs.OpSyncFS || op.Kind == vfs.OpSync && strings.HasSuffix(op.Name, ".log")
	}, errors.New("input/output error")))
	c := dial(t, n)
	if p := produced(c.ask(produceOf("orders", 0, -1, goodBatch(t)))); p.ErrorCode == 0 {
		t.Error("a batch was acknowledged that could not be synced")
	}
	if status, body := get(t, n, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "data directory failed") {
		t.Errorf("/readyz: %d, %q", status, body)
	}
	if status, _ := get(t, n, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
	if p := one(t, c.ask(fetchOf(11, 0, 0, at{topic: "orders"})), "orders", 0); len(offsets(t, p.RecordBatches)) != 1 {
		t.Errorf("what was synced is not served: %+v", p)
	}
	disk.Decide(nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the stop says %v, want that the directory failed", err)
	}
}
