package cli

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is an error for the person at the terminal: what happened, to what, and what to do about it.
type Problem struct {
	Code   int    // exit code
	What   string // one sentence without a full stop
	Remedy string // one or more lines, may be empty
	Err    error  // the cause, for errors.Is
}

func (p *Problem) Error() string {
	if p.Remedy == "" {
		return p.What
	}
	return p.What + "\n  " + strings.ReplaceAll(p.Remedy, "\n", "\n  ")
}

func (p *Problem) Unwrap() error { return p.Err }

// usage is a mistake in the command as it was typed.
func usage(remedy, format string, args ...any) error {
	return &Problem{Code: exitUsage, What: fmt.Sprintf(format, args...), Remedy: remedy}
}

// failed is something that was asked for properly and could not be done.
func failed(err error, remedy, format string, args ...any) error {
	return &Problem{Code: exitFailed, What: fmt.Sprintf(format, args...), Remedy: remedy, Err: err}
}

// reported ends a command whose output already says what went wrong: only the exit code is left to set.
func reported(code int) error { return &Problem{Code: code} }

func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return exitFailed
}

// joinProblems makes one error of several; its exit code is the first one's.
func joinProblems(list []error) error {
	if len(list) <= 1 {
		return errors.Join(list...)
	}
	lines := make([]string, len(list))
	for i, err := range list {
		lines[i] = err.Error()
	}
	return &Problem{Code: exitCode(list[0]), What: strings.Join(lines, "\nholdfast: "), Err: errors.Join(list...)}
}
