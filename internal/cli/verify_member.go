package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/internal/verify"
	"holdfast/internal/verify/workload"
)

// defaultGroups read in scenarios about groups: both protocols, and each way to commit.
var defaultGroups = []string{"classic/cooperative-sticky/each", "classic/range/async", "consumer/uniform/auto"}

const (
	localSession = 2 * time.Second // on fresh nodes, which are told to allow it
	otherSession = 6 * time.Second // Kafka's least
)

// planGroups fills what the run's groups are told.
func (v *verifyRun) planGroups(s verify.Scenario) error {
	list := v.groups
	if len(list) == 0 && s.Reads {
		list = defaultGroups
	}
	for _, text := range list {
		plan, err := verify.ParseGroupPlan(text)
		if err != nil {
			return usage("For example: --group classic, --group classic/range/auto, --group consumer/uniform/async.", "--group: %v", err)
		}
		v.o.Groups = append(v.o.Groups, plan)
	}
	switch {
	case v.o.Session < 0 || v.o.Members < 1:
		return usage("", "a group needs a member, and a session timeout is not negative")
	case v.o.Session > 0:
	case v.local > 0:
		v.o.Session = localSession
	default:
		v.o.Session = otherSession
	}
	return nil
}

// groupSettings let fresh nodes give up silent members as soon as the run asks for it.
func (v *verifyRun) groupSettings() []string {
	if len(v.o.Groups) == 0 {
		return nil
	}
	return verify.GroupSettings(v.o.Session)
}

// memberProgram is this program as one member of a group of the same cluster.
func (v *verifyRun) memberProgram(settings clientSettings) ([]string, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, failed(err, "", "find the program to run: %v", err)
	}
	argv := []string{own, "verify", "member", "--bootstrap", settings["bootstrap.servers"]}
	if v.client.file != "" {
		argv = append(argv, "--client-config", v.client.file)
	}
	return argv, nil
}

// newVerifyMemberCommand is one member of a group of `verify run`, which starts it and reads what it prints.
func newVerifyMemberCommand(a *app) *cobra.Command {
	var spec string
	cmd := &cobra.Command{
		Use: "member", Hidden: true,
		Short: "Be one member of a group of verify run",
		Args:  cobra.NoArgs,
	}
	client := a.addClientFlags(cmd, anyCluster)
	cmd.Flags().StringVar(&spec, "spec", "", "what to do, as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var s workload.MemberSettings
		in := json.NewDecoder(bytes.NewBufferString(spec))
		in.DisallowUnknownFields()
		if err := in.Decode(&s); err != nil {
			return usage("", "--spec: %v", err)
		}
		settings, err := client.settings()
		if err != nil {
			return err
		}
		if err := settings.set("retry.backoff.max.ms", "100"); err != nil {
			return err
		}
		open, err := settings.opener()
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(cmd.Context())
		defer stop()
		var broken error // owned by tell, until the member has ended
		tell := func(e workload.Event) {
			line, err := workload.AppendEvent(nil, e)
			if err == nil {
				_, err = a.env.Out.Write(line) // one event, one write: what is cut off is one event
			}
			if err != nil && broken == nil {
				broken = err
				stop()
			}
		}
		m, err := workload.NewMember(s, open, tell)
		if err != nil {
			return usage("", "%v", err)
		}
		m.Run(ctx)
		if broken != nil {
			return failed(broken, "", "the events could not be printed: %v", broken)
		}
		return nil
	}
	return cmd
}
