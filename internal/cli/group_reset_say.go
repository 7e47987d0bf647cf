package cli

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// addSpans reads when the first and the last record that a move concerns were written.
func (c *client) addSpans(ctx context.Context, moves []resetMove) {
	var places []place
	var whose []int
	for i := range moves {
		if from, to := moves[i].span(); to > from {
			places = append(places, place{moves[i].Topic, moves[i].Partition, from}, place{moves[i].Topic, moves[i].Partition, to - 1})
			whose = append(whose, i)
		}
	}
	times := c.recordsAt(ctx, places)
	for n, i := range whose {
		first, last := times[2*n], times[2*n+1]
		if !first.known {
			continue // nothing but marks and gaps, or not to be had
		}
		ms := first.at.UnixMilli()
		moves[i].FromMs = &ms
		if last.known && !last.at.Before(first.at) {
			ms := last.at.UnixMilli()
			moves[i].ToMs = &ms
		}
	}
}

// sentence says what the move does to the group's reading.
func (m resetMove) sentence() string {
	var s string
	switch m.Change {
	case "none":
		s = "stays where it is"
	case "skip":
		s = "skips " + plural(m.Records, "record") + m.when()
	case "repeat":
		s = "reads " + plural(m.Records, "record") + " again" + m.when()
	case "begin":
		s = "begins here: " + plural(m.Records, "record") + " to read" + m.when()
	}
	if m.Moved != "" {
		s += "; " + m.Moved
	}
	return s
}

// when is the time that the records are from.
func (m resetMove) when() string {
	switch {
	case m.FromMs == nil:
		return ""
	case m.ToMs == nil, *m.ToMs == *m.FromMs:
		return ", written " + shownTime(*m.FromMs)
	}
	d := time.Duration(*m.ToMs-*m.FromMs) * time.Millisecond
	if d < time.Second {
		return fmt.Sprintf(", written %s (within %s)", shownTime(*m.FromMs), shortDuration(d))
	}
	return fmt.Sprintf(", written %s to %s (%s)", shownTime(*m.FromMs), shownTime(*m.ToMs), shortDuration(d))
}

func shownTime(ms int64) string { return time.UnixMilli(ms).Local().Format(time.DateTime) }

// summary adds the moves up.
func summary(moves []resetMove) string {
	var skipped, again, begun int64
	for _, m := range moves {
		switch m.Change {
		case "skip":
			skipped += m.Records
		case "repeat":
			again += m.Records
		case "begin":
			begun++
		}
	}
	var parts []string
	if skipped > 0 {
		parts = append(parts, plural(skipped, "record")+" skipped")
	}
	if again > 0 {
		parts = append(parts, plural(again, "record")+" to be read again")
	}
	if begun > 0 {
		parts = append(parts, plural(begun, "partition")+" begun")
	}
	if len(parts) == 0 {
		return "no offset is another than before"
	}
	return strings.Join(parts, ", ")
}
