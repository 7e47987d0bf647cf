package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

// changedConfig is the line of JSON that config set and config unset print.
type changedConfig struct {
	Resource string            `json:"resource"`
	Name     string            `json:"name"`
	Set      map[string]string `json:"set,omitempty"`
	Unset    []string          `json:"unset,omitempty"`
	Applied  bool              `json:"applied"` // false with --validate-only
}

func newConfigSetCommand(a *app) *cobra.Command {
	return newConfigChangeCommand(a, &cobra.Command{
		Use:     "set KEY=VALUE…",
		Short:   "Set settings of a topic, a broker or all brokers",
		Long:    "Sets settings while the brokers run: all of those given, or none.",
		Example: "  holdfast config set --topic orders retention.ms=86400000 segment.ms=3600000\n  holdfast config set --brokers log.retention.ms=604800000",
		Args:    takes(1, -1, "KEY=VALUE"),
	}, func(args []string) (map[string]string, []string, error) {
		set, err := parseAssignments(args)
		return set, nil, err
	})
}

func newConfigUnsetCommand(a *app) *cobra.Command {
	return newConfigChangeCommand(a, &cobra.Command{
		Use:     "unset KEY…",
		Short:   "Return settings to their defaults",
		Long:    "Removes settings that were given: what the file or the default says counts again.",
		Example: "  holdfast config unset --topic orders retention.ms\n  holdfast config unset --broker 1 log.retention.ms",
		Args:    takes(1, -1, "the name of a setting"),
	}, func(args []string) (map[string]string, []string, error) { return nil, args, nil })
}

// newConfigChangeCommand completes a command whose arguments parse reads as what to set and what to unset.
func newConfigChangeCommand(a *app, cmd *cobra.Command, parse func([]string) (map[string]string, []string, error)) *cobra.Command {
	var check bool
	flags := a.addClientFlags(cmd, anyCluster)
	named := addResourceFlags(cmd)
	cmd.Flags().BoolVar(&check, "validate-only", false, "let the cluster check the request, change nothing")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, err := named()
		if err != nil {
			return err
		}
		set, unset, err := parse(args)
		if err != nil {
			return err
		}
		return runConfigChange(cmd.Context(), a, flags, r, set, unset, check)
	}
	return cmd
}

func runConfigChange(ctx context.Context, a *app, flags *clientFlags, r resource, set map[string]string, unset []string, check bool) error {
	c, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if r.topic != "" {
		if _, err := c.topics(ctx, r.topic); err != nil {
			return err
		}
	}
	if err := c.alterConfigs(ctx, r, set, unset, check); err != nil {
		return err
	}
	if a.json() {
		return jsonLine(a.env.Out, changedConfig{r.kind(), r.name(), set, unset, !check})
	}
	word := "changed"
	if check {
		word = "can be changed so"
	}
	_, err = fmt.Fprintf(a.env.Out, "%s %s\n", r, word)
	return err
}
