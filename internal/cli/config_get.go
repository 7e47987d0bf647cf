package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shownConfig is one line of the JSON output of config get.
type shownConfig struct {
	Resource string  `json:"resource"` // topic, broker or brokers
	Name     string  `json:"name"`
	Key      string  `json:"key"`
	Value    *string `json:"value"` // null: not set, or secret
	Secret   bool    `json:"secret,omitempty"`
	Source   string  `json:"source"` // topic, broker, brokers, file, default
}

func newConfigGetCommand(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "get [KEY…]",
		Short: "Show the settings of a topic or broker",
		Long: `Shows the settings that were given for a topic, a broker or all brokers; with --all those that come from
a default too; with names, just these. SOURCE says where a value comes from.`,
		Example: "  holdfast config get --topic orders\n  holdfast config get --topic orders retention.ms -o json\n  holdfast config get --broker 1 --all",
		Args:    cobra.ArbitraryArgs,
	}
	flags := a.addClientFlags(cmd, anyCluster)
	named := addResourceFlags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "show settings at their defaults too")
	cmd.RunE = func(cmd *cobra.Command, keys []string) error {
		r, err := named()
		if err != nil {
			return err
		}
		return runConfigGet(cmd.Context(), a, flags, r, keys, all)
	}
	return cmd
}

func runConfigGet(ctx context.Context, a *app, flags *clientFlags, r resource, keys []string, all bool) error {
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
	settings, err := c.configs(ctx, r)
	if err != nil {
		return err
	}
	if err := haveAll(r, settings, keys); err != nil {
		return err
	}
	t := newTable("KEY", "VALUE", "SOURCE")
	for _, k := range settings {
		if len(keys) > 0 && !slices.Contains(keys, k.Key) || len(keys) == 0 && !all && !r.isExplicit(k) {
			continue
		}
		if a.json() {
			if err := jsonLine(a.env.Out, shownConfig{r.kind(), r.name(), k.Key, k.Value, k.Sensitive, sourceName(k.Source)}); err != nil {
				return err
			}
		}
		t.row(k.Key, shownValue(k), sourceName(k.Source))
	}
	switch {
	case a.json():
		return nil
	case len(t.rows) == 1:
		a.notice("%s has no settings of its own (--all shows the defaults)", r)
		return nil
	}
	return t.print(a.env.Out)
}

// haveAll refuses names that the cluster does not know.
func haveAll(r resource, settings []kadm.Config, keys []string) error {
	var names []string
	for _, k := range settings {
		names = append(names, k.Key)
	}
	for _, key := range keys {
		if !slices.Contains(names, key) {
			return usage(didYouMean(key, names), "%s has no setting %q", r, key)
		}
	}
	return nil
}

func sourceName(s kmsg.ConfigSource) string {
	switch s {
	case kmsg.ConfigSourceDynamicTopicConfig:
		return "topic"
	case kmsg.ConfigSourceDynamicBrokerConfig:
		return "broker"
	case kmsg.ConfigSourceDynamicDefaultBrokerConfig:
		return "brokers"
	case kmsg.ConfigSourceStaticBrokerConfig:
		return "file"
	case kmsg.ConfigSourceDefaultConfig:
		return "default"
	}
	return "other"
}
