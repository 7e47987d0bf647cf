package cli

import "github.com/spf13/cobra"

func newPartitionCommand(a *app) *cobra.Command {
	return noun("partition", "Show partitions, where they lie and what is wrong with them", "  holdfast partition list --damaged",
		newPartitionListCommand(a),
		newPartitionProducersCommand(a),
	)
}
