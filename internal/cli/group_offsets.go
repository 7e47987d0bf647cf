package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// groupPosition is where a group is in a partition: one line of the JSON output of group lag. What is not known is left out.
type groupPosition struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Committed *int64 `json:"committed,omitempty"` // the offset that the group reads next; none: it never committed
	Start     *int64 `json:"start,omitempty"`     // first offset that can be read
	End       *int64 `json:"end,omitempty"`       // high watermark
	Lag       *int64 `json:"lag,omitempty"`       // records between committed and end
	BehindMs  *int64 `json:"behindMs,omitempty"`  // age of the first of them; 0 where there are none
	Expired   int64  `json:"expired,omitempty"`   // records that were deleted before the group read them
	Member    string `json:"member,omitempty"`
	Client    string `json:"client,omitempty"`
	Host      string `json:"host,omitempty"`
	Error     string `json:"error,omitempty"`
}

// behind is the age of the first unread record.
func (p groupPosition) behind() (time.Duration, bool) {
	if p.BehindMs == nil {
		return 0, false
	}
	return time.Duration(*p.BehindMs) * time.Millisecond, true
}

// note says what is out of the ordinary.
func (p groupPosition) note() string {
	switch {
	case p.Error != "":
		return p.Error
	case p.Expired > 0:
		return plural(p.Expired, "record") + " deleted before being read"
	case p.Committed != nil && p.End != nil && *p.Committed > *p.End:
		return fmt.Sprintf("committed %s beyond the end", comma(*p.Committed-*p.End))
	}
	return ""
}

// positions returns where the groups are in every partition that they have committed or that a member owns, by group,
// topic and partition. only leaves all other topics out; nil takes all.
func (c *client) positions(ctx context.Context, groups []group, only []string) ([]groupPosition, error) {
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	names := make([]string, 0, len(groups))
	for _, g := range groups {
		names = append(names, g.name)
	}
	var list []groupPosition
	committed := kadm.FetchOffsetsResponses{}
	for batch := range slices.Chunk(names, groupBatch) {
		var fetched kadm.FetchOffsetsResponses
		err := patiently(bounded, func() error {
			fetched = c.admin.FetchManyOffsets(bounded, batch...)
			return fetched.Error()
		})
		if err != nil {
			return nil, c.explain(err, "read the offsets of group "+strings.Join(batch[:min(len(batch), 3)], ", "))
		}
		maps.Copy(committed, fetched)
	}
	for _, g := range groups {
		list = append(list, g.positions(committed[g.name].Fetched, only)...)
	}
	if err := c.addEnds(bounded, list); err != nil {
		return nil, err
	}
	c.addTimes(bounded, list)
	return list, nil
}

// committed are the offsets of one group.
func (c *client) committed(ctx context.Context, name string) (list kadm.OffsetResponses, err error) {
	err = patiently(ctx, func() (err error) {
		list, err = c.admin.FetchOffsets(ctx, name)
		return err
	})
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, c.explain(err, "read the offsets of group "+name)
	}
	return list, nil
}

// positions pairs what was committed with who owns it.
func (g group) positions(committed kadm.OffsetResponses, only []string) []groupPosition {
	all := map[place]*groupPosition{}
	get := func(topic string, partition int32) *groupPosition {
		key := place{topic: topic, partition: partition}
		if all[key] == nil {
			all[key] = &groupPosition{Group: g.name, Topic: topic, Partition: partition}
		}
		return all[key]
	}
	for _, o := range committed.Sorted() {
		p := get(o.Topic, o.Partition)
		switch {
		case o.Err != nil:
			p.Error = kafkaError(o.Err)
		case o.At >= 0:
			p.Committed = &o.At
		}
	}
	for _, m := range g.members {
		for topic, partitions := range m.Assigned {
			for _, partition := range partitions {
				p := get(topic, partition)
				p.Member, p.Client, p.Host = m.Member, m.Client, m.Host
			}
		}
	}
	list := make([]groupPosition, 0, len(all))
	for key, p := range all {
		if only == nil || slices.Contains(only, key.topic) {
			list = append(list, *p)
		}
	}
	slices.SortFunc(list, byPlace)
	return list
}

// addEnds fills in where the partitions begin and end, and the lag.
func (c *client) addEnds(ctx context.Context, list []groupPosition) error {
	topics := topicsOf(list)
	if len(topics) == 0 {
		return nil // no name would mean all topics
	}
	starts, ends, _, err := c.listOffsets(ctx, position{way: "latest"}, topics...)
	if err != nil {
		return err
	}
	for i := range list {
		p := &list[i]
		start, known := starts.Lookup(p.Topic, p.Partition)
		end, knownEnd := ends.Lookup(p.Topic, p.Partition)
		switch {
		case !known || !knownEnd:
			p.Error = "the topic has no such partition"
			if gone, ok := ends.Lookup(p.Topic, -1); ok && gone.Err != nil {
				p.Error = "the topic does not exist"
			}
			continue
		case start.Err != nil || end.Err != nil:
			p.Error = kafkaError(cmp.Or(start.Err, end.Err))
			continue
		}
		p.Start, p.End = &start.Offset, &end.Offset
		if p.Committed != nil {
			from := max(*p.Committed, start.Offset)
			lag := max(end.Offset-from, 0)
			p.Lag, p.Expired = &lag, max(min(start.Offset, end.Offset)-*p.Committed, 0)
		}
	}
	return nil
}

// addTimes reads the first unread record of each partition that has one. Where nothing but marks of transactions or gaps
// are left, nothing is: Kafka's offsets count those, and a group that has read all would look behind for ever.
func (c *client) addTimes(ctx context.Context, list []groupPosition) {
	var places []place
	var whose []*groupPosition
	for i := range list {
		p := &list[i]
		switch {
		case p.Lag == nil:
		case *p.Lag == 0:
			p.BehindMs = new(int64)
		default:
			places = append(places, place{topic: p.Topic, partition: p.Partition, offset: max(*p.Committed, *p.Start)})
			whose = append(whose, p)
		}
	}
	now := time.Now()
	for i, f := range c.recordsAt(ctx, places) {
		p := whose[i]
		switch {
		case f.nothing:
			p.Lag, p.BehindMs = new(int64), new(int64)
		case f.known:
			ms := max(now.Sub(f.at).Milliseconds(), 0)
			p.BehindMs = &ms
		}
	}
}

func topicsOf(list []groupPosition) (topics []string) {
	for _, p := range list {
		topics = append(topics, p.Topic)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

func byPlace(a, b groupPosition) int {
	return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}

// worstFirst orders by time behind, then by records behind; what has an error comes first, what never committed last.
func worstFirst(a, b groupPosition) int {
	rank := func(p groupPosition) int {
		switch {
		case p.Error != "":
			return 0
		case p.Lag == nil:
			return 2
		}
		return 1
	}
	ms := func(p groupPosition) int64 {
		if p.BehindMs == nil {
			return 0
		}
		return *p.BehindMs
	}
	lag := func(p groupPosition) int64 {
		if p.Lag == nil {
			return 0
		}
		return *p.Lag
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(ms(b), ms(a)), cmp.Compare(lag(b), lag(a)), byPlace(a, b))
}

// total is the lag of all partitions together, and the time of the one that is furthest behind.
func total(list []groupPosition) (lag int64, behind time.Duration) {
	for _, p := range list {
		if p.Lag != nil {
			lag += *p.Lag
		}
		if d, ok := p.behind(); ok {
			behind = max(behind, d)
		}
	}
	return lag, behind
}

func shownCount(n *int64) string {
	if n == nil {
		return "-"
	}
	return comma(*n)
}

func shownBehind(p groupPosition) string {
	d, ok := p.behind()
	switch {
	case !ok:
		return "-"
	case d == 0:
		return "0"
	}
	return shortDuration(d)
}

// shortDuration is d with two figures that matter: 350ms, 12.3s, 5m12s, 3h5m, 12d4h.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}
