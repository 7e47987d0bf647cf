package node

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"time"

	"holdfast/internal/server"
)

const lookupPatience = 5 * time.Second

// resolveLimits takes over what the settings say of connections. Host names are looked up meanwhile, and count from
// when their addresses are known.
func (n *Node) resolveLimits() {
	v := n.config.Load()
	limits := &server.Limits{
		Connections: v.Int("max.connections"), PerIP: v.Int("max.connections.per.ip"), Rate: v.Int("max.connection.creation.rate"),
		Overrides: map[netip.Addr]int{},
	}
	names := map[string]int{}
	for host, limit := range v.ConnectionOverrides() {
		if ip, err := netip.ParseAddr(host); err == nil {
			limits.Overrides[ip.Unmap()] = limit
		} else {
			names[host] = limit
		}
	}
	n.limits.Store(limits)
	if len(names) > 0 {
		go n.lookUp(limits, names)
	}
}

// lookUp adds the limits of hosts that are given by name, unless the settings have changed again.
func (n *Node) lookUp(before *server.Limits, names map[string]int) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupPatience)
	defer cancel()
	limits := *before
	limits.Overrides = maps.Clone(before.Overrides)
	for host, limit := range names {
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			n.options.Log.Warn("a host in max.connections.per.ip.overrides has no address", "host", host, "err", err)
		}
		for _, ip := range ips {
			limits.Overrides[ip.Unmap()] = limit
		}
	}
	n.limits.CompareAndSwap(before, &limits)
}
