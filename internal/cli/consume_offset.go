package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// position is where reading begins: exactly one of its ways.
type position struct {
	way    string    // earliest, latest, at, back, time
	offset int64     // at: the offset; back: how many records before the end
	since  time.Time // time
}

// parseOffset reads earliest, latest, N, -N or @TIME.
func parseOffset(text string) (position, error) {
	bad := usage("Use earliest, latest, N, -N or @TIME.", "%q is not a place to begin", text)
	switch {
	case text == "earliest" || text == "latest":
		return position{way: text}, nil
	case strings.HasPrefix(text, "@"):
		since, err := parseTime(text[1:], time.Now())
		if err != nil {
			return position{}, err
		}
		return position{way: "time", since: since}, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return position{}, bad
	case strings.HasPrefix(text, "-"):
		return position{way: "back", offset: -n}, nil
	}
	return position{way: "at", offset: n}, nil
}

// parseTime reads a time: RFC 3339, a date, milliseconds since 1970, or a duration before now.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		if d < 0 {
			d = -d
		}
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage("Use 2026-01-31T12:00:00Z, milliseconds since 1970, or a duration that has passed since, such as 15m.", "%q is not a time", text)
}

// spans works out what to read of each partition. Its end is what a consumer may see at this moment: the high watermark,
// or the last stable offset for one that reads committed transactions only.
func (c *client) spans(ctx context.Context, topic string, only []int32, from position) (map[int32]*span, error) {
	details, err := c.topics(ctx, topic)
	if err != nil {
		return nil, err
	}
	exist := details[0].Partitions.Numbers()
	for _, p := range only {
		if !slices.Contains(exist, p) {
			return nil, failed(nil, "", "topic %s has no partition %d: it has %s, counted from 0", topic, p, plural(int64(len(exist)), "partition"))
		}
	}
	if len(only) == 0 {
		only = exist
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	starts, ends, at, err := c.listOffsets(ctx, from, topic)
	if err != nil {
		return nil, err
	}
	spans := map[int32]*span{}
	for _, p := range only {
		start, end, listed := starts[topic][p], ends[topic][p], at[topic][p]
		for _, o := range []kadm.ListedOffset{start, end, listed} {
			if o.Err != nil {
				return nil, c.explain(o.Err, "find the offsets of "+topic+" partition "+strconv.Itoa(int(p)))
			}
		}
		s, err := from.in(start.Offset, end.Offset, listed.Offset)
		if err != nil {
			return nil, failed(err, "", "%s partition %d: %v", topic, p, err)
		}
		spans[p] = s
	}
	return spans, nil
}

func (c *client) listOffsets(ctx context.Context, from position, topics ...string) (starts, ends, at kadm.ListedOffsets, err error) {
	if starts, err = c.admin.ListStartOffsets(ctx, topics...); err != nil {
		return nil, nil, nil, c.explain(err, "find the start of topic "+strings.Join(topics, ", "))
	}
	list := c.admin.ListEndOffsets
	if c.settings["isolation.level"] == "read_committed" {
		list = c.admin.ListCommittedOffsets
	}
	if ends, err = list(ctx, topics...); err != nil {
		return nil, nil, nil, c.explain(err, "find the end of topic "+strings.Join(topics, ", "))
	}
	if from.way == "time" {
		if at, err = c.admin.ListOffsetsAfterMilli(ctx, from.since.UnixMilli(), topics...); err != nil {
			return nil, nil, nil, c.explain(err, "find that time in topic "+strings.Join(topics, ", "))
		}
	}
	return starts, ends, at, nil
}

// in places the position within a partition that holds [start, end); timed is the offset found for a time.
func (p position) in(start, end, timed int64) (*span, error) {
	switch p.way {
	case "earliest":
		return &span{start, end}, nil
	case "latest":
		return &span{end, end}, nil
	case "back":
		return &span{max(start, end-p.offset), end}, nil
	case "time":
		return &span{min(max(timed, start), end), end}, nil
	}
	if p.offset < start || p.offset > end {
		return nil, &offsetOutside{p.offset, start, end}
	}
	return &span{p.offset, end}, nil
}

type offsetOutside struct{ offset, start, end int64 }

func (o *offsetOutside) Error() string {
	if o.start == o.end {
		return fmt.Sprintf("offset %d does not exist: it is empty and begins at %d", o.offset, o.end)
	}
	return fmt.Sprintf("offset %d does not exist: there are %d to %d", o.offset, o.start, o.end-1)
}

func sortedPartitions(spans map[int32]*span) []int32 {
	list := make([]int32, 0, len(spans))
	for p := range spans {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}
