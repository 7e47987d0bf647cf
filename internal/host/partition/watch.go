package partition

// Watch is a parked fetch, or a coordinator: it is told when the high watermark of any partition it was added to moves, or
// when one of them goes away, fails or gets a new leader epoch. It is reused from request to request.
type Watch struct {
	signal chan struct{} // capacity one: a signal is a hint to look again
	links  []*watchLink
	spare  []*watchLink
}

// watchLink is a Watch's place in one partition's list. Guarded by partition.mu while linked.
type watchLink struct {
	watch      *Watch
	partition  *Partition
	next, prev *watchLink
}

// NewWatch returns an empty Watch.
func NewWatch() *Watch { return &Watch{signal: make(chan struct{}, 1)} }

// Signal delivers after something moved.
func (w *Watch) Signal() <-chan struct{} { return w.signal }

// Add watches p. Look at p after adding it, not before: what moved earlier is not signalled.
func (w *Watch) Add(p *Partition) {
	var l *watchLink
	if n := len(w.spare); n > 0 {
		l, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		l = &watchLink{watch: w}
	}
	l.partition = p
	w.links = append(w.links, l)
	p.mu.Lock()
	p.watches.push(l)
	p.mu.Unlock()
}

// Clear watches nothing any more and forgets a signal not yet received.
func (w *Watch) Clear() {
	for _, l := range w.links {
		l.partition.mu.Lock()
		l.partition.watches.remove(l)
		l.partition.mu.Unlock()
		l.partition = nil
	}
	w.spare = append(w.spare, w.links...)
	w.links = w.links[:0]
	select {
	case <-w.signal:
	default:
	}
}

// watchList holds a partition's parked fetches. Guarded by the partition's mu.
type watchList struct{ head *watchLink }

func (q *watchList) push(l *watchLink) {
	l.next, l.prev = q.head, nil
	if q.head != nil {
		q.head.prev = l
	}
	q.head = l
}

func (q *watchList) remove(l *watchLink) {
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		q.head = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	}
	l.next, l.prev = nil, nil
}

func (q *watchList) signal() {
	for l := q.head; l != nil; l = l.next {
		select {
		case l.watch.signal <- struct{}{}:
		default:
		}
	}
}
