package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"holdfast/internal/base/config"
)

// httpServer serves what operators and their machines ask: metrics, health, profiles. Nobody is authenticated, so that
// whoever comes from another machine gets the metrics and the two health checks only.
type httpServer struct {
	net net.Listener // nil where it is off
	srv *http.Server
}

const (
	headerLimit  = 5 * time.Second
	httpIdle     = 2 * time.Minute
	httpMaxBytes = 16 << 10 // of a request's header
)

// openHTTP opens the HTTP port, unless it is off.
func openHTTP(n *Node) (*httpServer, error) {
	address := n.options.Config.String(config.HTTPListener)
	if address == "off" {
		return &httpServer{}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, portError(err, address, "--http HOST:PORT or --http off")
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", n.registry.Handler())
	mux.HandleFunc("GET /healthz", n.healthz)
	mux.HandleFunc("GET /readyz", n.readyz)
	mux.HandleFunc("GET /safe-to-stop", local(n.safeToStop))
	if n.options.Config.Bool(config.HTTPPprof) {
		mux.HandleFunc("GET /debug/pprof/", local(pprof.Index))
		mux.HandleFunc("GET /debug/pprof/profile", local(pprof.Profile))
		mux.HandleFunc("GET /debug/pprof/trace", local(pprof.Trace))
	}
	return &httpServer{net: l, srv: &http.Server{
		Handler: mux, ReadHeaderTimeout: headerLimit, IdleTimeout: httpIdle, MaxHeaderBytes: httpMaxBytes,
	}}, nil
}

// local serves only those who reached the node by a loopback address, as only this machine can.
func local(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
			http.Error(w, "this is answered on loopback only: nobody is authenticated here", http.StatusForbidden)
			return
		}
		serve(w, r)
	}
}

// healthz answers 200 while the node can do its work, and says why where it cannot.
func (n *Node) healthz(w http.ResponseWriter, _ *http.Request) {
	if n.quorum != nil {
		if err := n.quorum.Err(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

// readyz answers 200 from the ready line to the stop.
func (n *Node) readyz(w http.ResponseWriter, _ *http.Request) {
	if !n.ready.Load() {
		http.Error(w, "not ready: the node starts or stops", http.StatusServiceUnavailable)
		return
	}
	if err := n.partitions.Failed(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// safeToStop answers 200 where a clean stop, which SIGTERM begins, costs nothing that waiting would save, and 409 with
// the reason where it does. Records are not waited for: the stop itself brings them to the disk. Nor are partitions with
// no replica elsewhere, which no waiting helps: they are listed, for they are away until the node is back.
func (n *Node) safeToStop(w http.ResponseWriter, _ *http.Request) {
	if !n.ready.Load() {
		http.Error(w, "not ready: the node starts or stops", http.StatusConflict)
		return
	}
	fmt.Fprintln(w, "ok")
	for t := range n.quorum.Image().Topics() {
		fmt.Fprintf(w, "%s: %d partitions have no replica elsewhere and are away until this node is back\n", t.Name, len(t.Partitions))
	}
}

func (h *httpServer) serve() error {
	if h.net == nil {
		return nil
	}
	if err := h.srv.Serve(h.net); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("http: %w", err)
	}
	return nil
}

func (h *httpServer) address() string {
	if h.net == nil {
		return ""
	}
	return h.net.Addr().String()
}

// close stops at once: no answer here is worth waiting for.
func (h *httpServer) close() error {
	if h.net == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if h.srv.Shutdown(ctx) != nil {
		h.srv.Close()
	}
	if err := h.net.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
