package node_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/node"
	"holdfast/internal/proto/wire"
)

// dialFrom connects from an address of this machine.
func dialFrom(t *testing.T, n *node.Node, host string) *raw {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", n.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(10 * time.Second))
	return &raw{t, c}
}

// served asks something and reports whether an answer came, the connection was closed, or nothing came for a while.
func (r *raw) served() string {
	r.t.Helper()
	r.SetDeadline(time.Now().Add(300 * time.Millisecond))
	defer r.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := r.Write(kmsg.NewRequestFormatter().AppendRequest(nil, &kmsg.ApiVersionsRequest{}, 1))
	if err == nil {
		_, err = r.next()
	}
	switch {
	case err == nil:
		return "served"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "waits"
	default:
		return "closed"
	}
}

func (r *raw) want(what, want string) {
	r.t.Helper()
	if got := r.served(); got != want {
		r.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestConnectionsOfOneAddress(t *testing.T) {
	n := start(t, t.TempDir(), "max.connections.per.ip=2", "max.connections.per.ip.overrides=127.0.0.3:1, 127.0.0.4:0")
	first, second := dialFrom(t, n, "127.0.0.2"), dialFrom(t, n, "127.0.0.2")
	first.want("first of 2", "served")
	second.want("second of 2", "served")
	dialFrom(t, n, "127.0.0.2").want("third of 2", "closed")
	dialFrom(t, n, "127.0.0.3").want("another address's first of 1", "served")
	dialFrom(t, n, "127.0.0.3").want("another address's second of 1", "closed")
	dialFrom(t, n, "127.0.0.4").want("an address that may hold none", "closed")
	first.Close()
	eventually(t, "the place is free again", func() bool { return dialFrom(t, n, "127.0.0.2").served() == "served" })
}

func TestNoConnectionsOfAnyAddress(t *testing.T) {
	n := start(t, t.TempDir(), "max.connections.per.ip=0", "max.connections.per.ip.overrides=localhost:5")
	dialFrom(t, n, "127.0.0.2").want("with a limit of 0", "closed")
	eventually(t, "a host that is named may connect", func() bool { return dialFrom(t, n, "127.0.0.1").served() == "served" })
}

// Beyond max.connections clients wait at the door; the limit follows the cluster's settings without a restart.
func TestConnectionsInAll(t *testing.T) {
	n := start(t, t.TempDir(), "max.connections=2")
	first, second := dial(t, n), dial(t, n)
	first.want("first of 2", "served")
	second.want("second of 2", "served")
	third := dial(t, n)
	third.want("third of 2", "waits")
	second.Close()
	if _, err := third.next(); err != nil {
		t.Errorf("after another left, the third still waits: %v", err)
	}
	fourth := dial(t, n)
	fourth.want("fourth", "waits")
	if code := alterBroker(first, "", "max.connections", kmsg.StringPtr("10")); code != wire.None {
		t.Fatal(code)
	}
	if _, err := fourth.next(); err != nil {
		t.Errorf("after the limit was raised, the fourth still waits: %v", err)
	}
}

func TestConnectionRate(t *testing.T) {
	n := start(t, t.TempDir(), "max.connection.creation.rate=20")
	began := time.Now()
	for range 30 {
		c := dial(t, n)
		c.post(1, &kmsg.ApiVersionsRequest{})
		c.frame()
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("30 connections at 20 a second took %v", took)
	}
}

// A connection on which nothing happens is closed; one that waits for an answer is not.
func TestIdleConnections(t *testing.T) {
	n := start(t, t.TempDir(), "connections.max.idle.ms=200")
	createTopic(t, n, "orders", 1)
	idle, busy := dial(t, n), dial(t, n)
	q := fetchOf(11, 1, 600, at{topic: "orders"})
	busy.post(1, q)
	if _, err := idle.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("idle: %v", err)
	}
	busy.answer(1, q)
}
