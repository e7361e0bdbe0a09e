// Package cli is hone's commands: one file a command, each a thin layer between
// flags and the packages that do the work.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/honeml/hone/host/gpu"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/train"
	"github.com/honeml/hone/sdk/fault"
)

// Streams are what a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2   // wrong arguments, or a wrong run file
	exitInterrupted = 130 // what was stopped; a run can be resumed
)

// Main runs hone and returns its exit code. stop, when closed, asks what is under
// way to come to a good end.
func Main(ctx context.Context, args []string, streams Streams, version string, stop <-chan struct{}) int {
	a := &app{Streams: streams, version: version, stop: stop, machine: gpu.Here()}
	return a.main(ctx, args)
}

// main runs the command that args name and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // commands get their context from ExecuteContext
	root.SetArgs(longFlags(root, args))
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, train.ErrInterrupted):
		return exitInterrupted
	case cmd.Context() != nil && cmd.Context().Err() != nil:
		fmt.Fprintln(a.Err, "hone: stopped")
		return exitInterrupted
	}
	return a.fail(err)
}

// app is what the commands share.
type app struct {
	Streams
	version string
	stop    <-chan struct{}
	verbose bool

	machine gpu.Machine
	logger  hclog.Logger

	devFlags []string // NAME=PATH
	dev      []pluginhost.Override
	pins     []pluginhost.Override // of the lock file, or of a run's record
	catalog  *pluginhost.Catalog
	answered pluginhost.ModelPlugin // for the model that was opened last
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hone",
		Short: "Fine-tune language models from a run file",
		Long: "hone fine-tunes large language models with LoRA, from an HCL run file, through plugins.\n\n" +
			"  hone plan run.hone.hcl    what would happen\n" +
			"  hone run run.hone.hcl     do it",
		Version:       a.version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "show what plugins log, and more")
	root.PersistentFlags().StringArrayVar(&a.devFlags, "dev", nil,
		"run a build of a plugin, whatever is locked or installed: `NAME=PATH`, as in model-llama=./hone-plugin-model-llama")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		a.stopAtOnce(cmd)
		return a.readDev()
	}
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.initCommand(), a.runCommand(), a.planCommand(), a.dataCommand(), a.validateCommand(), a.fmtCommand(), a.graphCommand(),
		a.generateCommand(), a.chatCommand(), a.exportCommand(), a.pluginsCommand(), a.benchCommand(), a.doctorCommand(), a.quickstartCommand(),
	)
	return root
}

// waitsForStep marks the commands that come to a good end by themselves once stop
// is closed.
const waitsForStep = "waits for the step"

// stopAtOnce ends a command's context when it is to stop, unless it has a better
// way.
func (a *app) stopAtOnce(cmd *cobra.Command) {
	if cmd.Annotations[waitsForStep] != "" {
		return
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	cmd.SetContext(ctx)
	go func() {
		<-a.stop
		cancel()
	}()
}

// longFlags lets flags be written with one hyphen, -var as --var. What begins with
// a known letter of one hyphen, as -n5 does, stays as it is.
func longFlags(root *cobra.Command, args []string) []string {
	known, letters := map[string]bool{"help": true, "version": true}, "h"
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		note := func(f *pflag.Flag) {
			known[f.Name] = true
			letters += f.Shorthand
		}
		c.Flags().VisitAll(note)
		c.PersistentFlags().VisitAll(note)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(root)
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = arg
		if arg == "--" {
			copy(out[i:], args[i:])
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if len(name) > 1 && isLetter(name[0]) && strings.HasPrefix(arg, "-") && (known[name] || !strings.Contains(letters, name[:1])) {
			out[i] = "-" + arg
		}
	}
	return out
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// noSuchCommand refuses arguments of a command that has but commands of its own,
// and says which one may have been meant.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = fmt.Sprintf("; did you mean %s?", near[0])
	}
	return usageError{fmt.Errorf("there is no command %q%s (see %s --help)", cmd.CommandPath()+" "+args[0], meant, cmd.CommandPath())}
}

// flagError says which command's help lists the flags.
func flagError(cmd *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())}
}

// A usageError is a mistake in the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errShown says that what is wrong has been printed.
var errShown = errors.New("shown")

// fail prints err with what can be done about it, and gives the exit code.
func (a *app) fail(err error) int {
	var usage usageError
	if errors.Is(err, errShown) {
		return exitUsage
	}
	fmt.Fprintf(a.Err, "hone: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(a.Err, "hint: %s\n", hint)
	}
	var exited *pluginhost.ExitedError
	if errors.As(err, &exited) && a.verbose {
		fmt.Fprintln(a.Err, exited.Detail())
	}
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// log is where plugins' log lines go: warnings and errors, all with -v.
func (a *app) log() hclog.Logger {
	if a.logger == nil {
		level := hclog.Warn
		if a.verbose {
			level = hclog.Debug
		}
		a.logger = hclog.New(&hclog.LoggerOptions{Name: "hone", Level: level, Output: a.Err})
	}
	return a.logger
}

// show prints diagnostics of a run file; it reports whether there are errors.
func (a *app) show(d runfile.Diagnostics) error {
	if len(d.List) > 0 {
		width, colour := a.terminal()
		if err := d.Write(a.Err, width, colour); err != nil {
			return err
		}
	}
	if d.HasErrors() {
		return errShown
	}
	return nil
}

// terminal is the width of the error stream, and whether it shows colours.
func (a *app) terminal() (width uint, colour bool) {
	f, ok := a.Err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil || w < 20 {
		w = 80
	}
	return uint(w), os.Getenv("NO_COLOR") == ""
}

// exactly is cobra.ExactArgs whose error is a usage error that says what is
// missing.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usageError{fmt.Errorf("%s takes %s (see %s --help)", cmd.CommandPath(), what, cmd.CommandPath())}
		}
		return nil
	}
}

// atMostOne is a usage error where there are several arguments.
func atMostOne(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError{fmt.Errorf("%s takes one %s, not %q (see %s --help)", cmd.CommandPath(), what, args[1], cmd.CommandPath())}
		}
		return nil
	}
}
