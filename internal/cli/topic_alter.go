package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

type topicAlter struct {
	app        *app
	client     *clientFlags
	partitions int
	configs    []string
	unset      []string
	check      bool
}

// alteredTopic is one line of the JSON output of topic alter.
type alteredTopic struct {
	Topic      string            `json:"topic"`
	Partitions int               `json:"partitions,omitempty"` // the new number, where it was changed
	Set        map[string]string `json:"set,omitempty"`
	Unset      []string          `json:"unset,omitempty"`
	Applied    bool              `json:"applied"` // false with --validate-only
}

func newTopicAlterCommand(a *app) *cobra.Command {
	t := &topicAlter{app: a}
	cmd := &cobra.Command{
		Use:   "alter TOPIC",
		Short: "Change a topic's partitions or settings",
		Long: `Changes a topic: more partitions, other settings. Partitions can only be added, and adding them changes
which partition a key goes to; records that are there stay where they are.`,
		Example: "  holdfast topic alter orders --partitions 24\n  holdfast topic alter orders --config retention.ms=604800000 --unset cleanup.policy",
		Args:    takes(1, 1, "the name of a topic"),
		RunE:    func(cmd *cobra.Command, args []string) error { return t.run(cmd.Context(), args[0]) },
	}
	t.client = a.addClientFlags(cmd, anyCluster)
	cmd.Flags().IntVarP(&t.partitions, "partitions", "p", 0, "new total number of partitions")
	cmd.Flags().StringArrayVarP(&t.configs, "config", "c", nil, "set KEY=VALUE (repeatable)")
	cmd.Flags().StringArrayVar(&t.unset, "unset", nil, "return KEY to its default (repeatable)")
	cmd.Flags().BoolVar(&t.check, "validate-only", false, "let the cluster check the request, change nothing")
	return cmd
}

func (t *topicAlter) run(ctx context.Context, name string) error {
	set, err := parseAssignments(t.configs)
	if err != nil {
		return err
	}
	if t.partitions == 0 && len(set) == 0 && len(t.unset) == 0 {
		return usage("Add --partitions N, --config KEY=VALUE or --unset KEY.", "nothing to change about topic %s", name)
	}
	c, err := t.client.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.topics(ctx, name); err != nil {
		return err
	}
	if len(set) > 0 || len(t.unset) > 0 {
		if err := c.alterConfigs(ctx, resource{topic: name}, set, t.unset, t.check); err != nil {
			return err
		}
	}
	if t.partitions != 0 {
		if err := t.addPartitions(ctx, c, name); err != nil {
			return err
		}
	}
	if t.app.json() {
		return jsonLine(t.app.env.Out, alteredTopic{name, t.partitions, set, t.unset, !t.check})
	}
	word := "altered"
	if t.check {
		word = "can be altered so"
	}
	_, err = fmt.Fprintf(t.app.env.Out, "%s %s\n", name, word)
	return err
}

func (t *topicAlter) addPartitions(ctx context.Context, c *client, name string) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	update := c.admin.UpdatePartitions
	if t.check {
		update = c.admin.ValidateUpdatePartitions
	}
	responses, err := update(ctx, t.partitions, name)
	if err != nil {
		return c.explain(err, "add partitions to topic "+name)
	}
	if r := responses[name]; r.Err != nil {
		return c.refusal(r.Err, r.ErrMessage, "add partitions to topic "+name)
	}
	return nil
}
