package cli

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"
)

// verifyProduce takes the place of Apache Kafka's VerifiableProducer: the same flags, the same events.
type verifyProduce struct {
	app    *app
	cmd    *cobra.Command
	client *clientFlags

	topic         string
	maxMessages   int64
	throughput    int64
	acks          string
	oldConfig     string
	createTime    int64
	valuePrefix   int32
	repeatingKeys int32
	retries       string
	idempotent    bool

	mu          sync.Mutex // over the output and the counts
	sent, acked int64
	outputErr   error // the first event that could not be printed
	unanswered  bool  // acks=0: no offset is known
}

func newVerifyProduceCommand(a *app) *cobra.Command {
	v := &verifyProduce{app: a, client: &clientFlags{app: a, timeout: defaultRequestTimeout}}
	cmd := &cobra.Command{
		Use:   "produce",
		Short: "Send numbered records and print an event for each, like Apache Kafka's VerifiableProducer",
		Long: `Takes the place of Apache Kafka's kafka-verifiable-producer.sh: the same flags and the same events, one JSON object a
line, whatever -o says. Values are 0, 1, 2, …; nothing is tried again unless --retries, --idempotent or the file
says so. SIGINT and SIGTERM end the sending; what was sent is waited for.

A record that is not acked is an event and no failure of the command. Not as in the original: a broker that cannot be
reached counts as a try, so that without retries its records end at once; a mistake in the flags ends with 2, not 1.

` + anyCluster + "\n",
		Example: "  holdfast verify produce --topic orders --bootstrap-server kafka1:9092 --max-messages 1000 --throughput 100\n" +
			"  holdfast verify produce --topic orders --idempotent --retries max --repeating-keys 10",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return v.run(cmd.Context()) },
	}
	v.cmd = cmd
	f := cmd.Flags()
	f.StringVar(&v.topic, "topic", "", "send to this topic (required)")
	f.StringVarP(&v.client.bootstrap, "bootstrap-server", "b", "", "brokers to ask first, HOST:PORT[,…] (default "+defaultBootstrap+", or $HOLDFAST_BOOTSTRAP)")
	f.Int64Var(&v.maxMessages, "max-messages", -1, "send so many; -1 goes on until a signal")
	f.Int64Var(&v.throughput, "throughput", -1, "records a second; -1 is as fast as possible")
	f.StringVar(&v.acks, "acks", "-1", "-1 (all), 1 or 0")
	f.StringVar(&v.client.file, "command-config", "", "file of Kafka client properties; it outweighs --acks")
	f.StringVar(&v.oldConfig, "producer.config", "", "the older name of --command-config")
	f.Int64Var(&v.createTime, "message-create-time", -1, "time of the first record in ms since 1970; -1 is now")
	f.Int32Var(&v.valuePrefix, "value-prefix", 0, "number and a dot before each value")
	f.Int32Var(&v.repeatingKeys, "repeating-keys", 0, "keys from 0 to this number exclusive, over and over")
	f.StringVar(&v.retries, "retries", "0", "how often a record is tried again: 0, 1, … or max (not in Kafka's)")
	f.BoolVar(&v.idempotent, "idempotent", false, "an idempotent producer; retries are max unless given (not in Kafka's)")
	return cmd
}

func (v *verifyProduce) run(ctx context.Context) error {
	settings, err := v.settings()
	if err != nil {
		return err
	}
	opts, err := settings.options()
	if err != nil {
		return err
	}
	opts = append(opts, kgo.SeedBrokers(settings.brokers()...), kgo.AllowAutoTopicCreation())
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return usage("", "the client cannot be set up: %v", err)
	}
	defer client.Close()
	v.unanswered = settings["acks"] == "0"
	began := time.Now()
	v.event(newVerifyEvent("startup_complete"))
	// A limit of each record's own, since --message-create-time may be years back: the library's counts from there.
	limits := &deadlines{parent: context.WithoutCancel(ctx), timeout: settings.deliveryTimeout()}
	defer limits.stop()
	v.send(ctx, client, began, limits)
	_ = client.Flush(context.WithoutCancel(ctx)) // its only error is the context's, which has no end; each record has its time-out
	v.event(newVerifyEvent("shutdown_complete"))
	v.mu.Lock()
	data := toolData{newVerifyEvent("tool_data"), v.sent, v.acked, v.throughput, javaDouble(1000 * float64(v.acked) / float64(max(time.Since(began).Milliseconds(), 1)))}
	v.mu.Unlock()
	v.event(data)
	if v.outputErr != nil {
		return failed(v.outputErr, "", "the events could not be printed: %v", v.outputErr)
	}
	return nil
}

// settings are those of the flags with the file's over them, as in the original; what the original does not have, the
// file does not outweigh.
func (v *verifyProduce) settings() (clientSettings, error) {
	if v.topic == "" {
		return nil, usage("For example:\n"+v.cmd.Example, "verify produce needs --topic")
	}
	if err := v.client.commandConfig("producer.config", v.oldConfig); err != nil {
		return nil, err
	}
	settings, err := v.client.settings()
	if err != nil {
		return nil, err
	}
	if settings["acks"] == "" {
		if err := settings.set("acks", v.acks); err != nil {
			return nil, usage("Use -1, 1 or 0.", "--acks: %v", err)
		}
	}
	given := v.cmd.Flags().Changed("retries")
	retries := v.retries
	if retries == "max" || v.idempotent && !given {
		retries = strconv.Itoa(math.MaxInt32)
	}
	if settings["retries"] == "" || given || v.idempotent {
		if err := settings.set("retries", retries); err != nil {
			return nil, usage("Use a whole number, or max.", "--retries: %v", err)
		}
	}
	return settings, v.idempotence(settings)
}

// idempotence is on where nothing speaks against it, as in the Java client.
func (v *verifyProduce) idempotence(settings clientSettings) error {
	all, retried := settings["acks"] == "all" || settings["acks"] == "-1", settings["retries"] != "0"
	asked := v.idempotent || settings["enable.idempotence"] == "true"
	if asked && (!all || !retried) {
		return usage("Leave --acks and --retries out.", "an idempotent producer needs acks=all and retries")
	}
	if settings["enable.idempotence"] == "" || v.idempotent {
		return settings.set("enable.idempotence", strconv.FormatBool(all && retried))
	}
	return nil
}

// send hands over the records, at the pace that was asked for.
func (v *verifyProduce) send(ctx context.Context, client *kgo.Client, began time.Time, limits *deadlines) {
	createTime := v.createTime
	for i := int64(0); (v.maxMessages < 0 || i < v.maxMessages) && ctx.Err() == nil; i++ {
		r := &kgo.Record{Topic: v.topic, Value: []byte(v.value(i)), Key: v.key(i)}
		if createTime != -1 {
			r.Timestamp = time.UnixMilli(createTime)
			createTime += time.Since(began).Milliseconds() // that it grows faster and faster is the original's way
		}
		v.mu.Lock()
		v.sent++
		v.mu.Unlock()
		client.Produce(limits.next(), r, v.outcome)
		switch {
		case v.throughput > 0:
			pause(ctx, time.Until(began.Add(time.Duration(float64(i+1)/float64(v.throughput)*float64(time.Second)))))
		case v.throughput == 0:
			<-ctx.Done() // no records a second
		}
	}
}

func (v *verifyProduce) value(i int64) string {
	if v.cmd.Flags().Changed("value-prefix") {
		return fmt.Sprintf("%d.%d", v.valuePrefix, i)
	}
	return strconv.FormatInt(i, 10)
}

func (v *verifyProduce) key(i int64) []byte {
	switch {
	case !v.cmd.Flags().Changed("repeating-keys"):
		return nil
	case v.repeatingKeys > 0:
		i %= int64(v.repeatingKeys)
	}
	return strconv.AppendInt(nil, i, 10)
}

// outcome is called by the client, once a record.
func (v *verifyProduce) outcome(r *kgo.Record, err error) {
	if err != nil {
		class, message := javaException(err, r.Topic)
		v.event(sendError{newVerifyEvent("producer_send_error"), r.Topic, textOrNull(r.Key), string(r.Value), "class " + class, message})
		return
	}
	offset := r.Offset
	if v.unanswered {
		offset = -1
	}
	v.mu.Lock()
	v.acked++
	v.mu.Unlock()
	v.event(sendSuccess{newVerifyEvent("producer_send_success"), textOrNull(r.Key), string(r.Value), offset, r.Topic, r.Partition})
}

// event prints one line.
func (v *verifyProduce) event(e any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := jsonLine(v.app.env.Out, e); err != nil && v.outputErr == nil {
		v.outputErr = err
	}
}
