package cli

import "github.com/spf13/cobra"

// newVerifyConsumeCommand holds the place of the original's: VerifiableConsumer always is a member of a group.
func newVerifyConsumeCommand(a *app) *cobra.Command {
	var topic, group, bootstrap string
	cmd := &cobra.Command{
		Use:   "consume",
		Short: "Will take the place of Apache Kafka's VerifiableConsumer, once there are consumer groups",
		Long: `Apache Kafka's VerifiableConsumer is always a member of a consumer group, and Holdfast has no groups yet. Until then
holdfast consume reads partitions, and holdfast verify run judges what is read.

` + anyCluster + "\n",
		Example: "  holdfast verify consume --topic orders --group-id readers --bootstrap-server kafka1:9092",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usage("Use `holdfast consume TOPIC` to read without a group.", "verify consume joins a consumer group, and there are none yet")
		},
	}
	cmd.Flags().StringVar(&topic, "topic", "", "read this topic")
	cmd.Flags().StringVar(&group, "group-id", "", "group to join")
	cmd.Flags().StringVarP(&bootstrap, "bootstrap-server", "b", "", "brokers to ask first, HOST:PORT[,…]")
	return cmd
}
