package cli

// The exit codes of every command. Scripts depend on them: they never change meaning.
const (
	exitDone         = 0 // done, or passed
	exitFailed       = 1 // could not do it
	exitUsage        = 2 // wrong usage or configuration
	exitViolation    = 3 // a promise was found broken
	exitMissed       = 4 // an objective was missed
	exitInconclusive = 5 // not enough was seen to say
)

const exitHelp = `Exit codes: 0 done or passed, 1 could not do it, 2 wrong usage or configuration,
3 violation, 4 objective missed, 5 inconclusive.`
