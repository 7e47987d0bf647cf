package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// resource is what settings belong to: a topic, one broker, or all brokers.
type resource struct {
	topic   string
	broker  int32
	brokers bool // the default of all brokers
}

// kind is "topic", "broker" or "brokers".
func (r resource) kind() string {
	switch {
	case r.topic != "":
		return "topic"
	case r.brokers:
		return "brokers"
	}
	return "broker"
}

func (r resource) name() string {
	switch r.kind() {
	case "topic":
		return r.topic
	case "brokers":
		return ""
	}
	return fmt.Sprint(r.broker)
}

func (r resource) String() string {
	switch r.kind() {
	case "topic":
		return "topic " + r.topic
	case "brokers":
		return "all brokers"
	}
	return fmt.Sprintf("broker %d", r.broker)
}

// addResourceFlags lets a command name a resource. The returned function checks that exactly one is named.
func addResourceFlags(cmd *cobra.Command) func() (resource, error) {
	var r resource
	cmd.Flags().StringVarP(&r.topic, "topic", "t", "", "the settings of this topic")
	cmd.Flags().Int32Var(&r.broker, "broker", -1, "the settings of the broker with this id")
	cmd.Flags().BoolVar(&r.brokers, "brokers", false, "the settings that all brokers share")
	return func() (resource, error) {
		given := 0
		for _, set := range []bool{r.topic != "", r.broker >= 0, r.brokers} {
			if set {
				given++
			}
		}
		if given != 1 {
			return r, usage("Use one of --topic NAME, --broker ID or --brokers.", "%s needs to know whose settings are meant", said(cmd))
		}
		return r, nil
	}
}

// configs returns the settings of r, sorted by name.
func (c *client) configs(ctx context.Context, r resource) ([]kadm.Config, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var all kadm.ResourceConfigs
	var err error
	switch r.kind() {
	case "topic":
		all, err = c.admin.DescribeTopicConfigs(ctx, r.topic)
	case "brokers":
		all, err = c.admin.DescribeBrokerConfigs(ctx)
	default:
		all, err = c.admin.DescribeBrokerConfigs(ctx, r.broker)
	}
	if err != nil {
		return nil, c.explain(err, "read the settings of "+r.String())
	}
	for _, rc := range all {
		if rc.Name != r.name() {
			continue
		}
		if rc.Err != nil {
			return nil, c.refusal(rc.Err, rc.ErrMessage, "read the settings of "+r.String())
		}
		slices.SortFunc(rc.Configs, func(a, b kadm.Config) int { return strings.Compare(a.Key, b.Key) })
		return rc.Configs, nil
	}
	return nil, failed(nil, "", "the cluster did not answer for the settings of %s", r)
}

// alterConfigs sets and unsets settings of r in one step: all of them or none.
func (c *client) alterConfigs(ctx context.Context, r resource, set map[string]string, unset []string, check bool) error {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	var changes []kadm.AlterConfig
	for _, key := range sortedKeys(set) {
		value := set[key]
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value})
	}
	for _, key := range unset {
		changes = append(changes, kadm.AlterConfig{Op: kadm.DeleteConfig, Name: key})
	}
	responses, err := c.sendAlter(ctx, r, changes, check)
	if err != nil {
		return c.explain(err, "change the settings of "+r.String())
	}
	for _, resp := range responses {
		if resp.Err != nil {
			named := map[string]string{}
			for _, change := range changes {
				named[change.Name] = ""
			}
			return withConfigHint(c.refusal(resp.Err, resp.ErrMessage, "change the settings of "+r.String()), named)
		}
	}
	return nil
}

func (c *client) sendAlter(ctx context.Context, r resource, changes []kadm.AlterConfig, check bool) (kadm.AlterConfigsResponses, error) {
	var ids []int32
	if r.kind() == "broker" {
		ids = []int32{r.broker}
	}
	switch {
	case r.kind() == "topic" && check:
		return c.admin.ValidateAlterTopicConfigs(ctx, changes, r.topic)
	case r.kind() == "topic":
		return c.admin.AlterTopicConfigs(ctx, changes, r.topic)
	case check:
		return c.admin.ValidateAlterBrokerConfigs(ctx, changes, ids...)
	}
	return c.admin.AlterBrokerConfigs(ctx, changes, ids...)
}

// isExplicit tells a setting that somebody gave for this very resource from an inherited one.
func (r resource) isExplicit(k kadm.Config) bool {
	switch r.kind() {
	case "topic":
		return k.Source == kmsg.ConfigSourceDynamicTopicConfig
	case "brokers":
		return k.Source == kmsg.ConfigSourceDynamicDefaultBrokerConfig
	}
	return k.Source == kmsg.ConfigSourceDynamicBrokerConfig || k.Source == kmsg.ConfigSourceStaticBrokerConfig
}

func shownValue(k kadm.Config) string {
	if k.Sensitive {
		return "(secret)"
	}
	return k.MaybeValue()
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func newConfigCommand(a *app) *cobra.Command {
	return noun("config", "Read, change, explain and check settings", "  holdfast config get --topic orders",
		newConfigGetCommand(a),
		newConfigSetCommand(a),
		newConfigUnsetCommand(a),
		newConfigKeysCommand(a),
		newConfigCheckCommand(a),
	)
}
