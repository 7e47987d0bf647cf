package cli

import (
	"fmt"
	"sync"
	"time"
)

// progress redraws a line on the terminal a few times a second until the returned function is called.
// Without a terminal it does nothing.
func (a *app) progress(line func() string) (stop func()) {
	if !a.env.Terminal {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintf(a.env.Err, "\r\x1b[K%s", line())
			case <-done:
				fmt.Fprint(a.env.Err, "\r\x1b[K")
				return
			}
		}
	}()
	var once sync.Once
	return func() { once.Do(func() { close(done); <-gone }) }
}
