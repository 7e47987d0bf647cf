package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

func newTopicCommand(a *app) *cobra.Command {
	return noun("topic", "Create, list, describe, alter, compact and delete topics", "  holdfast topic describe orders",
		newTopicCreateCommand(a),
		newTopicListCommand(a),
		newTopicDescribeCommand(a),
		newTopicAlterCommand(a),
		newTopicCompactCommand(a),
		newTopicDeleteCommand(a),
	)
}

// topics returns the named topics in the order of the names; one that does not exist is a Problem with the nearest name.
func (c *client) topics(ctx context.Context, names ...string) ([]kadm.TopicDetail, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	details, err := c.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, c.explain(err, "read the topics")
	}
	var list []kadm.TopicDetail
	for _, name := range names {
		switch d := details[name]; {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return nil, c.noSuchTopic(ctx, name)
		case d.Err != nil:
			return nil, c.explain(d.Err, "read topic "+name)
		default:
			list = append(list, d)
		}
	}
	return list, nil
}

// noSuchTopic says that a topic is not there, with the nearest one that is.
func (c *client) noSuchTopic(ctx context.Context, name string) error {
	what := fmt.Sprintf("topic %q does not exist on %s", name, c.settings["bootstrap.servers"])
	if all, err := c.admin.ListTopicsWithInternal(ctx); err == nil {
		if n := nearest(name, all.Names()); n != "" {
			return failed(kerr.UnknownTopicOrPartition, "", "%s. Did you mean %s? (holdfast topic list shows all)", what, n)
		}
	}
	return failed(kerr.UnknownTopicOrPartition, "Create it with `holdfast topic create "+name+"`.", "%s", what)
}

// parseAssignments reads key=value arguments.
func parseAssignments(list []string) (map[string]string, error) {
	values := map[string]string{}
	for _, item := range list {
		key, value, ok := strings.Cut(item, "=")
		if !ok || key == "" {
			return nil, usage("Write KEY=VALUE, as in retention.ms=86400000.", "%q is not a setting with a value", item)
		}
		if _, twice := values[key]; twice {
			return nil, usage("", "setting %q is given twice", key)
		}
		values[key] = value
	}
	return values, nil
}

// refusal explains why the cluster refused something about a topic; message is the broker's own sentence, if it sent one.
func (c *client) refusal(err error, message, doing string) error {
	if message == "" || strings.EqualFold(message, kerrDescription(err)) {
		return c.explain(err, doing)
	}
	code := exitFailed
	if errors.Is(err, kerr.InvalidConfig) || errors.Is(err, kerr.InvalidTopicException) ||
		errors.Is(err, kerr.InvalidPartitions) || errors.Is(err, kerr.InvalidReplicationFactor) || errors.Is(err, kerr.InvalidRequest) {
		code = exitUsage
	}
	var ke *kerr.Error
	name := ""
	if errors.As(err, &ke) {
		name = " (" + ke.Message + ")"
	}
	return &Problem{Code: code, What: fmt.Sprintf("could not %s: %s%s", doing, strings.TrimSuffix(message, "."), name), Err: err}
}

func kerrDescription(err error) string {
	var ke *kerr.Error
	if errors.As(err, &ke) {
		return ke.Description
	}
	return ""
}
