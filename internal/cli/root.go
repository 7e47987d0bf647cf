package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Env is the world outside one run of a command.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	Terminal bool // a person is looking at Err: progress may be drawn there
}

// app is what all commands of one run share.
type app struct {
	env    Env
	output string // "table" or "json"
}

func (a *app) json() bool { return a.output == "json" }

// notice tells the person something that is not the result.
func (a *app) notice(format string, args ...any) {
	fmt.Fprintf(a.env.Err, "holdfast: "+format+"\n", args...)
}

// Main runs the command that the process was started with and returns its exit code.
// The first SIGINT or SIGTERM cancels the command's context, a second one ends the process at once.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	defer stop()
	env := Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Terminal: isTerminal(os.Stderr)}
	return Run(ctx, env, os.Args[1:])
}

// Run runs one command line, without the program's name, and returns its exit code.
func Run(ctx context.Context, env Env, args []string) int {
	root := newRoot(&app{env: env})
	root.SetArgs(args)
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.Err)
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintf(env.Err, "holdfast: %v\n", err)
	}
	return exitCode(err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "holdfast",
		Short: "A replicated commit log that speaks the Apache Kafka protocol",
		Long: `Holdfast is a replicated commit log that speaks the Apache Kafka protocol: broker, command line
and tools in one binary. Every Kafka client works against it unchanged.

` + exitHelp,
		Example:       "  holdfast serve &\n  holdfast topic create orders\n  echo hello | holdfast produce orders\n  holdfast consume orders",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE:          needVerb,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if a.output != "table" && a.output != "json" {
				return usage("Use -o table or -o json.", "there is no output form %q", a.output)
			}
			return nil
		},
	}
	root.PersistentFlags().StringVarP(&a.output, "output", "o", "table", "form of the results: table, or json (one object a line)")
	root.SetFlagErrorFunc(flagProblem)
	root.SetHelpCommand(&cobra.Command{Use: "help", Hidden: true, RunE: func(cmd *cobra.Command, args []string) error {
		target, _, err := cmd.Root().Find(args)
		if err != nil || target == nil {
			target = cmd.Root()
		}
		return target.Help()
	}})
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(
		newServeCommand(a),
		newTopicCommand(a),
		newPartitionCommand(a),
		newGroupCommand(a),
		newTxnCommand(a),
		newProduceCommand(a),
		newConsumeCommand(a),
		newConfigCommand(a),
		newEventsCommand(a),
		newBenchCommand(a),
		newDoctorCommand(a),
		newDumpCommand(a),
		newLocalCommand(a),
		newVerifyCommand(a),
		newVersionCommand(a),
		newCompletionCommand(),
	)
	return root
}

// noun groups verbs: `holdfast topic create`.
func noun(use, short, example string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Example: example, Args: cobra.ArbitraryArgs, RunE: needVerb}
	cmd.AddCommand(verbs...)
	return cmd
}

// needVerb is what a command that only groups others does when it is called itself.
func needVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 && !cmd.HasParent() {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	all := "Use one of: " + strings.Join(names, ", ") + "."
	if len(args) == 0 {
		return usage(all, "%s needs a verb", said(cmd))
	}
	asked := strings.TrimSpace(said(cmd) + " " + args[0])
	if hint := didYouMean(args[0], names); hint != "" {
		return usage("", "there is no command %q. %s (%s --help lists all)", asked, hint, cmd.CommandPath())
	}
	return usage(all, "there is no command %q", asked)
}

// said is the command as errors name it: without the program's name, which begins the line anyway.
func said(cmd *cobra.Command) string {
	return strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()), " ")
}

// flagProblem turns a flag error into one with the nearest name.
func flagProblem(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := unknown.GetSpecifiedName()
		shown := "--" + name
		if len(name) == 1 {
			shown = "-" + name
		}
		if n := nearest(name, names); n != "" && len(name) > 1 {
			return usage("", "%s has no flag %s. Did you mean --%s? (%s --help lists all)", said(cmd), shown, n, cmd.CommandPath())
		}
		return usage(cmd.CommandPath()+" --help lists all.", "%s has no flag %s", said(cmd), shown)
	}
	return usage(cmd.CommandPath()+" --help explains it.", "%s: %v", said(cmd), err)
}

// takes checks the number of arguments; what names them for the error.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage("For example:\n"+cmd.Example, "%s needs %s", said(cmd), what)
		case most >= 0 && len(args) > most:
			return usage("For example:\n"+cmd.Example, "%s does not know what to do with %q", said(cmd), args[most])
		}
		return nil
	}
}

// isTerminal tells whether f is a terminal, as far as its mode shows it.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}
