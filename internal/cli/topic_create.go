package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

type topicCreate struct {
	app         *app
	client      *clientFlags
	partitions  int32
	replicas    int16
	configs     []string
	check       bool
	ifNotExists bool
}

// createdTopic is one line of the JSON output of topic create.
type createdTopic struct {
	Topic             string `json:"topic"`
	Partitions        int32  `json:"partitions"`
	ReplicationFactor int16  `json:"replicationFactor"`
	Created           bool   `json:"created"` // false: it was there already, or it was only checked
}

func newTopicCreateCommand(a *app) *cobra.Command {
	t := &topicCreate{app: a}
	cmd := &cobra.Command{
		Use:   "create TOPIC…",
		Short: "Create topics",
		Long:  "Creates topics. Figures that are not given are the cluster's defaults.",
		Example: "  holdfast topic create orders\n" +
			"  holdfast topic create orders payments --partitions 12 --replication-factor 3 --config retention.ms=86400000",
		Args: takes(1, -1, "the name of a topic"),
		RunE: func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args) },
	}
	t.client = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().Int32VarP(&t.partitions, "partitions", "p", -1, "number of partitions; -1 is the cluster's default")
	cmd.Flags().Int16VarP(&t.replicas, "replication-factor", "r", -1, "number of replicas; -1 is the cluster's default")
	cmd.Flags().StringArrayVarP(&t.configs, "config", "c", nil, "setting of the topic, KEY=VALUE (repeatable)")
	cmd.Flags().BoolVar(&t.check, "validate-only", false, "let the cluster check the request, create nothing")
	cmd.Flags().BoolVar(&t.ifNotExists, "if-not-exists", false, "a topic that exists already is no error")
	return cmd
}

func (t *topicCreate) run(ctx context.Context, names []string) error {
	settings, err := parseAssignments(t.configs)
	if err != nil {
		return err
	}
	values := map[string]*string{}
	for k, v := range settings {
		values[k] = &v
	}
	c, err := t.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	create := c.admin.CreateTopics
	if t.check {
		create = c.admin.ValidateCreateTopics
	}
	responses, err := create(bounded, t.partitions, t.replicas, values, names...)
	if err != nil {
		return c.explain(err, "create the topics")
	}
	return t.report(c, names, responses, settings)
}

// report prints what was created, then returns the refusals together.
func (t *topicCreate) report(c *client, names []string, responses kadm.CreateTopicResponses, settings map[string]string) error {
	slices.Sort(names)
	var refused []error
	for _, name := range slices.Compact(names) {
		r, ok := responses[name]
		switch {
		case !ok:
			refused = append(refused, failed(nil, "", "the cluster did not say what became of topic %s", name))
		case errors.Is(r.Err, kerr.TopicAlreadyExists) && t.ifNotExists:
			if err := t.print(createdTopic{Topic: name, Partitions: -1, ReplicationFactor: -1}, "exists already"); err != nil {
				return err
			}
		case errors.Is(r.Err, kerr.TopicAlreadyExists):
			refused = append(refused, failed(r.Err, "`holdfast topic describe "+name+"` shows it; --if-not-exists accepts it.", "topic %s exists already", name))
		case r.Err != nil:
			refused = append(refused, withConfigHint(c.refusal(r.Err, r.ErrMessage, "create topic "+name), settings))
		default:
			word := "created"
			if t.check {
				word = "can be created"
			}
			if err := t.print(createdTopic{name, r.NumPartitions, r.ReplicationFactor, !t.check}, word); err != nil {
				return err
			}
		}
	}
	return joinProblems(refused)
}

func (t *topicCreate) print(created createdTopic, word string) error {
	if t.app.json() {
		return jsonLine(t.app.env.Out, created)
	}
	figures := ""
	if created.Partitions > 0 {
		figures = fmt.Sprintf(" (%s, replication factor %d)", plural(int64(created.Partitions), "partition"), created.ReplicationFactor)
	}
	_, err := fmt.Fprintf(t.app.env.Out, "%s %s%s\n", created.Topic, word, figures)
	return err
}
