package cli

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestConfigHint(t *testing.T) {
	refused := &Problem{Code: exitUsage, What: "could not create topic orders: unknown setting", Err: kerr.InvalidConfig}
	err := withConfigHint(refused, map[string]string{"retention.mss": "7", "cleanup.policy": "delete"})
	if !strings.Contains(err.Error(), `"retention.mss" does not exist. Did you mean retention.ms?`) {
		t.Error(err)
	}
	other := &Problem{What: "broken", Err: errors.New("broken")}
	if err := withConfigHint(other, map[string]string{"retention.mss": "7"}); strings.Contains(err.Error(), "Did you mean") {
		t.Errorf("a hint where the setting was not the reason: %v", err)
	}
}

func TestJoinedProblemsKeepCodeAndCause(t *testing.T) {
	err := joinProblems([]error{usage("Do a.", "a"), failed(kerr.TopicAlreadyExists, "", "b")})
	if exitCode(err) != exitUsage || !errors.Is(err, kerr.TopicAlreadyExists) || err.Error() != "a\n  Do a.\nholdfast: b" {
		t.Errorf("%d %q", exitCode(err), err)
	}
	if joinProblems(nil) != nil {
		t.Error("nothing is no error")
	}
}

func TestNearest(t *testing.T) {
	names := []string{"create", "delete", "describe", "list", "retention.ms", "retention.bytes"}
	for name, want := range map[string]string{"creat": "create", "lsit": "list", "desc": "describe", "retention.mz": "retention.ms", "zzzzzz": "", "x": ""} {
		if got := nearest(name, names); got != want {
			t.Errorf("nearest to %q: %q, want %q", name, got, want)
		}
	}
}
