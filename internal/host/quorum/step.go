package quorum

import "fmt"

// Step takes one turn, if there is something to do: the commands that wait are decided, made durable, shown and
// answered. It reports whether more is to be done: a full disk has to be tried again later. After an error the
// driver has ended. Only after Begin, and never two at once.
func (d *Driver) Step() (again bool, err error) {
	if !d.owes {
		if err = d.store.prepare(); err == nil {
			d.drain(groupCommands)
		}
	}
	if err == nil {
		err = d.turn()
	}
	if err != nil {
		d.end(err)
		return false, err
	}
	return d.owes || len(d.queue) > 0, nil
}

// End is Stop after Begin.
func (d *Driver) End() error {
	d.end(nil)
	return d.err
}

// Submit is Propose that does not wait: a later Step carries the request out. The error says that nothing was done.
func (d *Driver) Submit(request any) (*Submitted, error) {
	c, err := d.call(request)
	if err != nil {
		return nil, err
	}
	select {
	case <-d.done:
		return nil, d.stopped()
	default:
	}
	select {
	case d.queue <- c:
		return &Submitted{c}, nil
	default:
		return nil, fmt.Errorf("%d requests wait already", queueLength)
	}
}

// Submitted is a request on its way.
type Submitted struct{ call *call }

// Answer is what Propose would have returned; ok is false as long as that is nothing yet.
func (s *Submitted) Answer() (reply any, ok bool, err error) {
	select {
	case a := <-s.call.reply:
		return a.reply, true, a.err
	default:
		return nil, false, nil
	}
}
