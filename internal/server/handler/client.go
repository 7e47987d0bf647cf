package handler

import (
	"net"
	"net/netip"
)

// Client is who sits at the other end of a connection. Its fields belong to the connection's reading goroutine.
type Client struct {
	Address  netip.AddrPort // the client's
	Reached  netip.AddrPort // ours, as the client reached it
	Listener string         // name of the listener
	Software string         // name and version, as the client gave them with ApiVersions
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
