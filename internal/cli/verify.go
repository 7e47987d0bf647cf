package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"holdfast/internal/verify/workload"
)

func newVerifyCommand(a *app) *cobra.Command {
	return noun("verify", "Prove what a cluster keeps of what it promises",
		"  holdfast verify run leader-kill --local 1\n  holdfast verify produce --topic orders --bootstrap-server 127.0.0.1:9092 --max-messages 10",
		newVerifyRunCommand(a), newVerifyProduceCommand(a), newVerifyConsumeCommand(a), newVerifyMemberCommand(a))
}

// commandConfig takes the file of properties that an older flag of the original names, where it names one.
func (f *clientFlags) commandConfig(older, file string) error {
	if file == "" {
		return nil
	}
	if f.file != "" {
		return usage(fmt.Sprintf("Leave --%s out.", older), "--%s and --command-config say the same thing", older)
	}
	f.file = file
	f.app.notice("--%s is the older name of --command-config", older)
	return nil
}

// opener makes the clients of a verification: the connection is as the settings say, all else is the workload's.
func (s clientSettings) opener() (workload.Opener, error) {
	secure, err := s.securityOptions()
	if err != nil {
		return nil, err
	}
	dial, err := s.dialer()
	if err != nil {
		return nil, err
	}
	return func(wrap func(workload.Dial) workload.Dial, extra ...kgo.Opt) (*kgo.Client, error) {
		opts := append(s.backoffOptions(), secure...)
		opts = append(opts,
			kgo.ClientID("holdfast-verify"), kgo.SoftwareNameAndVersion("holdfast", softwareVersion()),
			kgo.RetryTimeout(s.duration("request.timeout.ms", defaultRequestTimeout)),
			kgo.ProduceRequestTimeout(s.duration("request.timeout.ms", defaultRequestTimeout)),
			kgo.SeedBrokers(s.brokers()...))
		if wrap != nil {
			opts = append(opts, kgo.Dialer(wrap(workload.Dial(dial))))
		}
		return kgo.NewClient(append(opts, extra...)...)
	}, nil
}
