package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/base/event"
)

// eventsTopic holds the events of a Holdfast cluster, one JSON object a record.
const eventsTopic = "__holdfast_events"

type events struct {
	app    *app
	client *clientFlags
	since  string
	follow bool
	topic  string
	group  string
	kind   string
}

func newEventsCommand(a *app) *cobra.Command {
	e := &events{app: a}
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened to records, topics and nodes",
		Long: `Shows the events of the cluster, each with its exact range: starts after an unclean stop, torn ends that were
cut, fetches out of range, records deleted by request, failed data directories, and so on. They are records of the
topic ` + eventsTopic + `.`,
		Example: "  holdfast events --since 24h\n  holdfast events --topic orders --follow -o json",
		Args:    takes(0, 0, ""),
		RunE:    func(cmd *cobra.Command, _ []string) error { return e.run(cmd.Context()) },
	}
	e.client = a.addClientFlags(cmd, holdfastOnly)
	f := cmd.Flags()
	f.StringVar(&e.since, "since", "", "only events since then: a duration that has passed (24h), a time, or milliseconds since 1970")
	f.BoolVarP(&e.follow, "follow", "f", false, "go on with events as they happen")
	f.StringVarP(&e.topic, "topic", "t", "", "only events of this topic")
	f.StringVarP(&e.group, "group", "g", "", "only events of this group")
	f.StringVar(&e.kind, "kind", "", "only events of this kind, as in truncated_tail")
	return cmd
}

func (e *events) run(ctx context.Context) error {
	from := position{way: "earliest"}
	if e.since != "" {
		since, err := parseTime(e.since, time.Now())
		if err != nil {
			return err
		}
		from = position{way: "time", since: since}
	}
	settings, err := e.client.settings()
	if err != nil {
		return err
	}
	c, err := e.client.connect(ctx, settings, readerOptions()...)
	if err != nil {
		return err
	}
	defer c.Close()
	spans, err := c.spans(ctx, eventsTopic, nil, from)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return failed(err, "Events are kept by Holdfast clusters only, from the first one on.", "%s has no events: there is no topic %s", settings["bootstrap.servers"], eventsTopic)
	}
	if err != nil {
		return err
	}
	out := bufio.NewWriter(e.app.env.Out)
	print := func(r *kgo.Record) error { return e.print(out, r) }
	r := &reader{client: c, topic: eventsTopic, spans: spans, follow: e.follow, print: print, flush: out.Flush}
	return errors.Join(r.read(ctx), out.Flush())
}

// print writes one event. A record that is no event is said and passed over: others must still be seen.
func (e *events) print(w io.Writer, r *kgo.Record) error {
	var ev event.Event
	if err := json.Unmarshal(r.Value, &ev); err != nil {
		e.app.notice("offset %d of %s is not an event: %v", r.Offset, eventsTopic, err)
		return nil
	}
	if e.topic != "" && ev.Topic != e.topic || e.group != "" && ev.Group != e.group || e.kind != "" && ev.Kind.Name != e.kind {
		return nil
	}
	if e.app.json() {
		return jsonLine(w, ev)
	}
	_, err := fmt.Fprintf(w, "%s  %-5s  %s\n", ev.Time.Local().Format("2006-01-02 15:04:05.000"), strings.ToUpper(ev.Kind.Severity.String()), ev.Sentence())
	return err
}
