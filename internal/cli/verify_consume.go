package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// verifyConsume takes the place of Apache Kafka's VerifiableConsumer: the same flags, the same events.
type verifyConsume struct {
	app    *app
	cmd    *cobra.Command
	client *clientFlags

	topic, group     string
	protocol         string
	remoteAssignor   string
	instance         string
	maxMessages      int32
	sessionTimeout   int32
	verbose          bool
	autoCommit       bool
	resetPolicy      string
	assignmentPolicy string
	oldConfig        string

	nextGen  bool  // the consumer protocol
	consumed int32 // owned by read

	mu        sync.Mutex // over the output
	outputErr error      // the first event that could not be printed
}

func newVerifyConsumeCommand(a *app) *cobra.Command {
	v := &verifyConsume{app: a, client: &clientFlags{app: a, timeout: defaultRequestTimeout}}
	cmd := &cobra.Command{
		Use:   "consume",
		Short: "Read as a member of a group and print an event for all that happens, like Apache Kafka's VerifiableConsumer",
		Long: `Takes the place of Apache Kafka's kafka-verifiable-consumer.sh: the same flags and the same events, one JSON object a
line, whatever -o says. What a poll gave is committed at once, and waited for, unless --enable-autocommit. SIGINT and
SIGTERM end it: it leaves the group, unless it is a static member.

Not as in the original: a member that cannot go on, say because another one took its --group-instance-id, ends with 1 after
its last event; a mistake in the flags ends with 2.

` + anyCluster + "\n",
		Example: "  holdfast verify consume --topic orders --group-id readers --bootstrap-server kafka1:9092 --max-messages 1000\n" +
			"  holdfast verify consume --topic orders --group-id readers --group-protocol consumer --verbose",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context()) },
	}
	v.cmd = cmd
	f := cmd.Flags()
	f.StringVar(&v.topic, "topic", "", "read this topic (required)")
	f.StringVarP(&v.client.bootstrap, "bootstrap-server", "b", "", "brokers to ask first, HOST:PORT[,…] (default "+defaultBootstrap+", or $HOLDFAST_BOOTSTRAP)")
	f.StringVar(&v.group, "group-id", "", "group to be a member of (required)")
	f.StringVar(&v.protocol, "group-protocol", "classic", "classic, or consumer, in which the cluster assigns (KIP-848)")
	f.StringVar(&v.remoteAssignor, "group-remote-assignor", "", "with the consumer protocol: uniform or range")
	f.StringVar(&v.instance, "group-instance-id", "", "be this static member")
	f.Int32Var(&v.maxMessages, "max-messages", -1, "read so many; -1 goes on until a signal")
	f.Int32Var(&v.sessionTimeout, "session-timeout", 0, "with the classic protocol: ms after which a silent member is given up (default 45000)")
	f.BoolVar(&v.verbose, "verbose", false, "an event for every record, too")
	f.BoolVar(&v.autoCommit, "enable-autocommit", false, "let the client commit by itself, and print nothing about it")
	f.StringVar(&v.resetPolicy, "reset-policy", "earliest", "where to begin without a committed offset: earliest, latest, none")
	f.StringVar(&v.assignmentPolicy, "assignment-strategy", javaConsumer+"RangeAssignor", "with the classic protocol: Java class or short name of the assignor[,…]")
	f.StringVar(&v.client.file, "command-config", "", "file of Kafka client properties; the flags outweigh it")
	f.StringVar(&v.oldConfig, "consumer.config", "", "the older name of --command-config")
	return cmd
}

const (
	javaConsumer = "org.apache.kafka.clients.consumer."
	// javaMaxPoll is the Java client's max.poll.records: an event tells of so many records at most.
	javaMaxPoll = 500
)

func (v *verifyConsume) run(ctx context.Context) error {
	settings, err := v.settings()
	if err != nil {
		return err
	}
	opts, err := settings.options()
	if err != nil {
		return err
	}
	member, err := v.options(settings)
	if err != nil {
		return err
	}
	if v.finished() {
		member = nil // with --max-messages 0 the original never polls, and so never joins
	}
	client, err := kgo.NewClient(append(append(opts, kgo.SeedBrokers(settings.brokers()...), kgo.AllowAutoTopicCreation()), member...)...)
	if err != nil {
		return usage("", "the client cannot be set up: %v", err)
	}
	v.event(newVerifyEvent("startup_complete"))
	ended := v.read(ctx, client)
	if ctx.Err() != nil {
		v.event(newVerifyEvent("shutdown_requested"))
	}
	client.CloseAllowingRebalance()
	v.event(newVerifyEvent("shutdown_complete"))
	if ctx.Err() == nil {
		v.event(newVerifyEvent("shutdown_requested")) // the original's last word, also when nobody asked
	}
	switch {
	case v.outputErr != nil:
		return failed(v.outputErr, "", "the events could not be printed: %v", v.outputErr)
	case ended != nil:
		return failed(ended, "", "member of group %s cannot go on: %v", v.group, ended)
	}
	return nil
}

// settings are those of the file with the flags' over them, as in the original.
func (v *verifyConsume) settings() (clientSettings, error) {
	if v.topic == "" || v.group == "" {
		return nil, usage("For example:\n"+v.cmd.Example, "verify consume needs --topic and --group-id")
	}
	if err := v.client.commandConfig("consumer.config", v.oldConfig); err != nil {
		return nil, err
	}
	settings, err := v.client.settings()
	if err != nil {
		return nil, err
	}
	session := ""
	if v.sessionTimeout != 0 {
		session = fmt.Sprint(v.sessionTimeout)
	}
	for _, s := range []struct{ flag, key, value string }{
		{"group-protocol", "group.protocol", strings.ToLower(v.protocol)},
		{"group-remote-assignor", "group.remote.assignor", v.remoteAssignor},
		{"group-instance-id", "group.instance.id", v.instance},
		{"session-timeout", "session.timeout.ms", session},
		{"reset-policy", "auto.offset.reset", v.resetPolicy},
		{"assignment-strategy", "partition.assignment.strategy", v.assignmentPolicy},
	} {
		if s.value == "" {
			continue
		}
		if err := settings.set(s.key, s.value); err != nil {
			return nil, usage("", "--%s: %v", s.flag, err)
		}
	}
	return settings, nil
}

// options make the client a member of the group.
func (v *verifyConsume) options(s clientSettings) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.ConsumerGroup(v.group), kgo.ConsumeTopics(v.topic), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(v.assigned), kgo.OnPartitionsRevoked(v.revoked), kgo.OnPartitionsLost(v.lost),
		kgo.RebalanceTimeout(s.duration("max.poll.interval.ms", 5*time.Minute)),
	}
	start, err := resetOptions(s["auto.offset.reset"])
	if err != nil {
		return nil, err
	}
	opts = append(opts, start...)
	if id := s["group.instance.id"]; id != "" {
		opts = append(opts, kgo.InstanceID(id))
	}
	if s["session.timeout.ms"] != "" {
		opts = append(opts, kgo.SessionTimeout(s.duration("session.timeout.ms", 0)))
	}
	if s["heartbeat.interval.ms"] != "" {
		opts = append(opts, kgo.HeartbeatInterval(s.duration("heartbeat.interval.ms", 0)))
	}
	if v.autoCommit {
		opts = append(opts, kgo.AutoCommitInterval(s.duration("auto.commit.interval.ms", 5*time.Second)))
	} else {
		opts = append(opts, kgo.DisableAutoCommit())
	}
	if v.nextGen = s["group.protocol"] == "consumer"; !v.nextGen {
		return append(opts, kgo.Balancers(balancers(s["partition.assignment.strategy"])...)), nil
	}
	balancer := kgo.StickyBalancer() // the client's name for the cluster's uniform assignor
	if s["group.remote.assignor"] == "range" {
		balancer = kgo.RangeBalancer()
	}
	return append(opts, kgo.ServerSideBalancer(), kgo.Balancers(balancer)), nil
}

// resetOptions say where a partition begins that the group never committed, and where reading goes on when an offset is gone.
func resetOptions(policy string) ([]kgo.Opt, error) {
	span, byDuration := strings.CutPrefix(policy, "by_duration:")
	switch {
	case byDuration:
		back, err := parseSpan(span)
		if err != nil {
			return nil, err
		}
		return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(time.Now().Add(-back).UnixMilli()))}, nil
	case policy == "latest":
		return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd())}, nil
	case policy == "none":
		return []kgo.Opt{kgo.ConsumeStartOffset(kgo.NewOffset().AtCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset())}, nil
	}
	return []kgo.Opt{kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, nil
}

// read goes on until it has what was asked for, or ctx ends, or the member cannot go on, which it returns.
func (v *verifyConsume) read(ctx context.Context, client *kgo.Client) error {
	for !v.finished() && ctx.Err() == nil {
		fetches := client.PollRecords(ctx, javaMaxPoll)
		for _, e := range fetches.Errors() {
			if endsMember(e.Err) && ctx.Err() == nil {
				return e.Err
			}
		}
		if fetches.NumRecords() > 0 {
			offsets := v.records(fetches)
			if !v.autoCommit {
				v.commit(client, offsets)
			}
		}
		client.AllowRebalance()
	}
	return nil
}

func (v *verifyConsume) finished() bool { return v.maxMessages >= 0 && v.consumed >= v.maxMessages }

// endsMember tells an error that the Java client hands to its program, which ends for it, from one that it mends itself.
func endsMember(err error) bool {
	return slices.ContainsFunc([]error{
		kerr.OffsetOutOfRange, kerr.FencedInstanceID, kerr.UnreleasedInstanceID, kerr.GroupAuthorizationFailed, kerr.TopicAuthorizationFailed,
		kerr.InconsistentGroupProtocol, kerr.InvalidGroupID, kerr.GroupMaxSizeReached, kerr.InvalidSessionTimeout, kerr.UnsupportedAssignor,
		kerr.UnsupportedVersion, kerr.InvalidTopicException, kerr.InvalidRequest,
	}, func(end error) bool { return errors.Is(err, end) }) || strings.Contains(err.Error(), "no prior committed offset")
}

// records prints what a poll gave, up to what was asked for, and returns what to commit for it. That the event counts all
// that the poll gave is the original's way.
func (v *verifyConsume) records(fetches kgo.Fetches) map[string]map[int32]kgo.EpochOffset {
	offsets := map[int32]kgo.EpochOffset{}
	e := recordsConsumed{verifyEvent: newVerifyEvent("records_consumed"), Count: fetches.NumRecords(), Partitions: []recordSet{}}
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		list := p.Records
		if v.maxMessages >= 0 {
			list = list[:min(len(list), int(v.maxMessages-v.consumed))]
		}
		if len(list) == 0 {
			return
		}
		last := list[len(list)-1]
		offsets[p.Partition] = kgo.EpochOffset{Epoch: last.LeaderEpoch, Offset: last.Offset + 1}
		e.Partitions = append(e.Partitions, recordSet{p.Topic, p.Partition, len(list), list[0].Offset, last.Offset})
		v.consumed += int32(len(list))
		if !v.verbose {
			return
		}
		for _, r := range list {
			v.event(recordData{newVerifyEvent("record_data"), textOrNull(r.Key), textOrNull(r.Value), r.Topic, r.Partition, r.Offset})
		}
	})
	v.event(e)
	return map[string]map[int32]kgo.EpochOffset{v.topic: offsets}
}

// commit commits and prints what came of it. A signal does not cut it short.
func (v *verifyConsume) commit(client *kgo.Client, offsets map[string]map[int32]kgo.EpochOffset) {
	client.CommitOffsetsSync(client.Context(), offsets, func(_ *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		e := offsetsCommitted{verifyEvent: newVerifyEvent("offsets_committed"), Offsets: []committedOffset{}}
		for _, t := range req.Topics {
			for _, p := range t.Partitions {
				e.Offsets = append(e.Offsets, committedOffset{v.topic, p.Partition, p.Offset})
			}
		}
		if resp != nil {
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					err = errors.Join(err, kerr.ErrorForCode(p.ErrorCode))
				}
			}
		}
		e.Success = err == nil
		if err != nil {
			_, message := javaException(err, v.topic)
			e.Error = &message
		}
		v.event(e)
	})
}

func (v *verifyConsume) assigned(_ context.Context, _ *kgo.Client, given map[string][]int32) {
	if len(given[v.topic]) > 0 || !v.nextGen {
		v.partitions("partitions_assigned", given) // with the classic protocol the original says so too where nothing is new
	}
}

// revoked is called at the end of a session too, with nothing taken away; the original knows no such event.
func (v *verifyConsume) revoked(ctx context.Context, client *kgo.Client, taken map[string][]int32) {
	if len(taken[v.topic]) == 0 {
		return
	}
	if v.autoCommit {
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			v.app.notice("the automatic commit failed: %v", err)
		}
	}
	v.partitions("partitions_revoked", taken)
}

func (v *verifyConsume) lost(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
	if len(taken[v.topic]) > 0 {
		v.partitions("partitions_revoked", taken) // the original makes no difference
	}
}

func (v *verifyConsume) partitions(name string, list map[string][]int32) {
	e := partitionsEvent{verifyEvent: newVerifyEvent(name), Partitions: []topicPartition{}}
	numbers := slices.Clone(list[v.topic])
	slices.Sort(numbers)
	for _, p := range numbers {
		e.Partitions = append(e.Partitions, topicPartition{v.topic, p})
	}
	v.event(e)
}

// event prints one line.
func (v *verifyConsume) event(e any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := jsonLine(v.app.env.Out, e); err != nil && v.outputErr == nil {
		v.outputErr = err
	}
}
