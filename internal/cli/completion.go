package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func newCompletionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script of a shell",
		Long: `Prints a script that lets the shell complete commands and flags: bash, zsh, fish or powershell.

` + noCluster,
		Example:   "  source <(holdfast completion bash)\n  holdfast completion zsh > \"${fpath[1]}/_holdfast\"",
		ValidArgs: shells,
		Args:      takes(1, 1, "the name of a shell"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch i := slices.Index(shells, args[0]); i {
			case 0:
				return root.GenBashCompletionV2(out, true)
			case 1:
				return root.GenZshCompletion(out)
			case 2:
				return root.GenFishCompletion(out, true)
			case 3:
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return usage("Use one of "+strings.Join(shells, ", ")+".", "there is no completion for %q", args[0])
		},
	}
}
