package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/honeml/hone/host/data"
)

func (a *app) dataCommand() *cobra.Command {
	var flags fileFlags
	var samples int
	var tokens, eval bool
	cmd := &cobra.Command{
		Use:   "data FILE",
		Short: "Show samples as the model will see them: tokens, and what is learned of them",
		Args:  exactly(1, "a run file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.load(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), run)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.load(cmd.Context()); err != nil {
				return s.dataError(err)
			}
			return s.showData(samples, tokens, eval)
		},
	}
	flags.add(cmd)
	cmd.Flags().IntVarP(&samples, "samples", "n", 3, "how many samples to show")
	cmd.Flags().BoolVar(&tokens, "tokens", false, "list each token with its id")
	cmd.Flags().BoolVar(&eval, "eval", false, "show the evaluation data")
	return cmd
}

func (s *session) showData(samples int, tokens, eval bool) error {
	set, report := s.train, s.report
	if eval {
		if s.eval == nil {
			return fmt.Errorf("the run has no evaluation data")
		}
		set, report = s.eval, s.evalReport
	}
	f, ok := s.app.Out.(*os.File)
	view := data.View{
		Tokenizer: s.text.Tokenizer, Tokens: tokens, Color: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "",
	}
	fmt.Fprintf(s.app.Out, "%s\n\n", view.Legend())
	for _, d := range set.Documents[:min(max(0, samples), len(set.Documents))] {
		if err := view.Write(s.app.Out, d); err != nil {
			return err
		}
		fmt.Fprintln(s.app.Out)
	}
	if report == nil { // split off the training data
		report = s.report
	}
	_, err := report.WriteTo(s.app.Out)
	return err
}
