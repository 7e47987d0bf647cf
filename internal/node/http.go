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

// httpServer serves what operators and their machines ask: metrics, health, profiles.
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
	if n.options.Config.Bool(config.HTTPPprof) && loopback(l) {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return &httpServer{net: l, srv: &http.Server{
		Handler: mux, ReadHeaderTimeout: headerLimit, IdleTimeout: httpIdle, MaxHeaderBytes: httpMaxBytes,
	}}, nil
}

// loopback reports whether only this machine reaches l: profiles show memory, so nobody else may ask for them.
func loopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
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
