package server

import (
	"context"
	"time"
)

// watch gives a context that ends when the client goes away while its request waits. The goroutine that serves the
// connection calls it, and the cancel function, which ends the watch: in between it reads nothing, so the watch may. What
// comes of a next request is kept for it.
func (c *conn) watch(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if c.from < c.upto {
		return ctx, cancel // more was sent already: whoever sends is there
	}
	c.arm(0)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n, err := c.net.Read(c.ahead[:])
		c.from, c.upto = 0, n
		if n == 0 && err != nil && !isTimeout(err) {
			cancel()
		}
	}()
	return ctx, func() {
		c.net.SetReadDeadline(time.Unix(1, 0)) //nolint:errcheck // a closed connection has ended the read already
		<-ended
		cancel()
	}
}
