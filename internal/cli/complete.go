package cli

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin bounds the wait for names: whoever presses the tab key does not wait for a cluster that is away.
const completeWithin = 2 * time.Second

// complete is what cobra asks for the words that may come next.
type complete = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// completeFlag has the shell complete the values of a flag.
func completeFlag(cmd *cobra.Command, flag string, with complete) {
	if err := cmd.RegisterFlagCompletionFunc(flag, with); err != nil {
		panic(err) // the flag is not there
	}
}

func (a *app) completeGroups(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.completeFrom(cmd, args, begun, func(ctx context.Context, c *client) (names []string, err error) {
		all, err := c.listGroups(ctx)
		for _, g := range all {
			names = append(names, g.name)
		}
		return names, err
	})
}

func (a *app) completeTopics(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	return a.completeFrom(cmd, args, begun, func(ctx context.Context, c *client) ([]string, error) {
		all, err := c.admin.ListTopics(ctx)
		return all.Names(), err
	})
}

// completeFrom asks the cluster that the flags name. A cluster that does not answer completes nothing.
func (a *app) completeFrom(cmd *cobra.Command, args []string, begun string, ask func(context.Context, *client) ([]string, error)) ([]string, cobra.ShellCompDirective) {
	flag := func(name string) string {
		if f := cmd.Flag(name); f != nil {
			return f.Value.String()
		}
		return ""
	}
	quiet := *a
	quiet.env.Err = io.Discard
	flags := &clientFlags{app: &quiet, bootstrap: flag("bootstrap"), file: flag("client-config"), timeout: completeWithin}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	c, err := flags.open(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer c.Close()
	names, err := ask(ctx, c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var fit []string
	for _, name := range names {
		if strings.HasPrefix(name, begun) && !slices.Contains(args, name) {
			fit = append(fit, name)
		}
	}
	return fit, cobra.ShellCompDirectiveNoFileComp
}
