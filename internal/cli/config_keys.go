package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"holdfast/internal/base/config"
)

// keyInfo is one line of the JSON output of config keys.
type keyInfo struct {
	Key      string  `json:"key"`
	Scope    string  `json:"scope"`
	Type     string  `json:"type"`
	Default  *string `json:"default"` // null: none
	Range    string  `json:"range,omitempty"`
	Honoured bool    `json:"honoured"` // false: accepted, without effect or at its default only
	Dynamic  bool    `json:"dynamic"`  // can change while the node runs
	Secret   bool    `json:"secret,omitempty"`
	Own      bool    `json:"own"`              // Holdfast's, unknown to Apache Kafka
	Broker   string  `json:"broker,omitempty"` // the broker key a topic key falls back to
	Doc      string  `json:"doc"`
}

func newConfigKeysCommand(a *app) *cobra.Command {
	var topic, broker bool
	cmd := &cobra.Command{
		Use:   "keys [KEY…]",
		Short: "List the settings that exist, with type, default and meaning",
		Long: `Lists the settings of topics and of brokers with type, default, range and what they do; with names, explains
just these. A star marks those that Holdfast accepts and does not act on.

` + holdfastOnly + ` ` + noCluster,
		Example: "  holdfast config keys --topic\n  holdfast config keys retention.ms\n  holdfast config keys --broker -o json",
		Args:    cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, names []string) error {
			return runConfigKeys(a, names, topic || !broker, broker || !topic)
		},
	}
	cmd.Flags().BoolVar(&topic, "topic", false, "settings of topics only")
	cmd.Flags().BoolVar(&broker, "broker", false, "settings of brokers only")
	return cmd
}

func runConfigKeys(a *app, names []string, topic, broker bool) error {
	keys, err := selectKeys(names, topic, broker)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if a.json() {
			err = jsonLine(a.env.Out, infoOf(k))
		} else if len(names) > 0 {
			err = explainKey(a.env.Out, k)
		}
		if err != nil {
			return err
		}
	}
	if a.json() || len(names) > 0 {
		return nil
	}
	t := newTable("KEY", "OF", "TYPE", "DEFAULT", "MEANING")
	for _, k := range keys {
		t.row(k.Name+map[bool]string{false: "*"}[k.Honoured], k.Scope, k.Type, k.DefaultText(), k.Doc)
	}
	return t.print(a.env.Out)
}

// selectKeys returns the named keys of the scopes, or all of them.
func selectKeys(names []string, topic, broker bool) ([]*config.Key, error) {
	var keys []*config.Key
	if len(names) == 0 {
		if topic {
			keys = append(keys, config.TopicKeys()...)
		}
		if broker {
			keys = append(keys, config.BrokerKeys()...)
		}
		return keys, nil
	}
	for _, name := range names {
		t, isTopic := config.Topic(name)
		b, isBroker := config.Broker(name)
		if isTopic && topic {
			keys = append(keys, t)
		}
		if isBroker && broker {
			keys = append(keys, b)
		}
		if !(isTopic && topic) && !(isBroker && broker) {
			scope := config.ScopeBroker
			if topic && (!broker || config.Nearest(name, config.ScopeTopic) != "") {
				scope = config.ScopeTopic
			}
			return nil, usage("", "%v", config.Unknown(name, scope))
		}
	}
	return keys, nil
}

func infoOf(k *config.Key) keyInfo {
	info := keyInfo{
		Key: k.Name, Scope: k.Scope.String(), Type: k.Type.String(), Range: k.Range(), Honoured: k.Honoured,
		Dynamic: k.Dynamic, Secret: k.Secret, Own: k.Own, Broker: k.Broker, Doc: k.Doc,
	}
	if !k.Null {
		info.Default = &k.Default
	}
	return info
}

func explainKey(w io.Writer, k *config.Key) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  setting of a %s, %s, default %s\n  %s\n", k.Name, k.Scope, k.Type, k.DefaultText(), k.Doc)
	if r := k.Range(); r != "" {
		fmt.Fprintf(&b, "  must be %s\n", r)
	}
	if k.Broker != "" {
		fmt.Fprintf(&b, "  without a value of the topic's own, %s of the broker counts\n", k.Broker)
	}
	if !k.Honoured {
		b.WriteString("  accepted, and not acted on\n")
	}
	if !k.Dynamic {
		b.WriteString("  a change needs a restart\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
