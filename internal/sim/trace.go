package sim

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// kept is how many lines a trace remembers for the report of a violation.
const kept = 60

// trace is what happened. Its hash stands for all of it.
type trace struct {
	hash  uint64
	lines [kept]line
	n     int
	out   io.Writer // nil: only remembered
}

// line is one thing that happened. It is formatted only if somebody wants to read it.
type line struct {
	at   time.Duration
	what string
	who  string
	a, b int64
}

func (l line) String() string {
	return fmt.Sprintf("%12.6f  %-28s %-24s %d %d", l.at.Seconds(), l.what, l.who, l.a, l.b)
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (t *trace) add(at time.Duration, what, who string, a, b int64) {
	t.mix(uint64(at))
	t.mixText(what)
	t.mixText(who)
	t.mix(uint64(a))
	t.mix(uint64(b))
	l := line{at, what, who, a, b}
	t.lines[t.n%kept] = l
	t.n++
	if t.out != nil {
		fmt.Fprintln(t.out, l)
	}
}

func (t *trace) mix(v uint64) { t.hash = (t.hash ^ v) * fnvPrime }

func (t *trace) mixText(s string) {
	for i := range len(s) {
		t.hash = (t.hash ^ uint64(s[i])) * fnvPrime
	}
	t.hash = (t.hash ^ 0xff) * fnvPrime
}

// tail is the last lines.
func (t *trace) tail() string {
	var b strings.Builder
	for i := max(0, t.n-kept); i < t.n; i++ {
		fmt.Fprintln(&b, t.lines[i%kept])
	}
	return b.String()
}
