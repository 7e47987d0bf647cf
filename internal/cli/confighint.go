package cli

import (
	"errors"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"holdfast/internal/base/config"
)

// withConfigHint adds the nearest name where settings of a topic were refused and one of them is not known here.
// A broker of Holdfast says it itself.
func withConfigHint(err error, settings map[string]string) error {
	var p *Problem
	if !errors.As(err, &p) || !errors.Is(err, kerr.InvalidConfig) || strings.Contains(p.What, "Did you mean") {
		return err
	}
	for _, name := range sortedKeys(settings) {
		if _, known := config.Topic(name); !known {
			if _, known = config.Broker(name); !known {
				p.Remedy = config.Unknown(name, config.ScopeTopic).Error()
				return p
			}
		}
	}
	return err
}
