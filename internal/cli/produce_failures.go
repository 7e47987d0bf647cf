package cli

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// failureHandler does with records that were not acked what --on-error says.
type failureHandler struct {
	app   *app
	stops bool   // the first failure ends the sending
	logs  bool   // each failure is printed
	spill string // directory that keeps them, "" for none
	to    *spillWriter
	fault error // the spill could not be written
}

func newFailureHandler(a *app, mode string) (*failureHandler, error) {
	h := &failureHandler{app: a}
	switch name, dir, _ := strings.Cut(mode, ":"); {
	case mode == "fail":
		h.stops = true
	case mode == "drop":
	case mode == "log":
		h.logs = true
	case name == "spill" && dir != "":
		h.spill, h.to = dir, newSpillWriter(dir)
	default:
		return nil, usage("Use --on-error fail, drop, log or spill:DIR.", "there is no way %q of handling errors", mode)
	}
	return h, nil
}

// handle takes one record; it returns true if the sending has to end.
func (h *failureHandler) handle(r *kgo.Record, o outcome, err error) (stop bool) {
	if h.logs {
		fmt.Fprintf(h.app.env.Err, "%s: key %q to %s: %v\n", o, r.Key, r.Topic, err)
	}
	if h.to != nil && h.fault == nil {
		h.fault = h.to.add(r, o, err)
	}
	return h.stops || h.fault != nil
}

// close makes the spill durable.
func (h *failureHandler) close() error {
	if h.to == nil {
		return nil
	}
	if err := h.to.close(); h.fault == nil {
		h.fault = err
	}
	return h.fault
}
