package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kerr"
)

// deletedTopic is one line of the JSON output of topic delete.
type deletedTopic struct {
	Topic   string `json:"topic"`
	Deleted bool   `json:"deleted"` // false: it was not there, and --if-exists was given
}

func newTopicDeleteCommand(a *app) *cobra.Command {
	var ifExists bool
	cmd := &cobra.Command{
		Use:     "delete TOPIC…",
		Short:   "Delete topics with all their records",
		Long:    "Deletes topics with all their records. There is no way back.",
		Example: "  holdfast topic delete orders\n  holdfast topic delete orders payments --if-exists",
		Args:    takes(1, -1, "the name of a topic"),
	}
	flags := a.addClientFlags(cmd, anyCluster)
	cmd.Flags().BoolVar(&ifExists, "if-exists", false, "a topic that does not exist is no error")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runTopicDelete(cmd.Context(), a, flags, args, ifExists)
	}
	return cmd
}

func runTopicDelete(ctx context.Context, a *app, flags *clientFlags, names []string, ifExists bool) error {
	c, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	slices.Sort(names)
	names = slices.Compact(names)
	responses, err := c.admin.DeleteTopics(ctx, names...)
	if err != nil {
		return c.explain(err, "delete the topics")
	}
	var refused []error
	for _, name := range names {
		r := responses[name]
		missing := errors.Is(r.Err, kerr.UnknownTopicOrPartition)
		switch {
		case missing && !ifExists:
			refused = append(refused, c.noSuchTopic(ctx, name))
		case r.Err != nil && !missing:
			refused = append(refused, c.refusal(r.Err, r.ErrMessage, "delete topic "+name))
		case a.json():
			err = jsonLine(a.env.Out, deletedTopic{name, !missing})
		case missing:
			_, err = fmt.Fprintf(a.env.Out, "%s was not there\n", name)
		default:
			_, err = fmt.Fprintf(a.env.Out, "%s deleted\n", name)
		}
		if err != nil {
			return err
		}
	}
	return joinProblems(refused)
}
