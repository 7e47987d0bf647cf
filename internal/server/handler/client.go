package handler

import (
	"context"
	"net"
	"net/netip"
)

// Client is who sits at the other end of a connection. Its fields belong to the connection's reading goroutine.
type Client struct {
	Address  netip.AddrPort // the client's
	Reached  netip.AddrPort // ours, as the client reached it
	Listener string         // name of the listener
	Software string         // name and version, as the client gave them with ApiVersions

	// Watch, where it is not nil, gives a context that ends when the client goes away, and what ends the watch. It is called
	// for a request that may wait long, by the goroutine that reads the connection and would notice otherwise.
	Watch func(context.Context) (context.Context, context.CancelFunc)
}

func (c *Client) whileConnected(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.Watch == nil {
		return ctx, func() {}
	}
	return c.Watch(ctx)
}

// NewClient describes the client of a connection taken on a listener.
func NewClient(c net.Conn, listener string) Client {
	return Client{Address: addrPort(c.RemoteAddr()), Reached: addrPort(c.LocalAddr()), Listener: listener}
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
