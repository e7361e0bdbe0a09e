package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/data"
	"github.com/honeml/hone/host/train"
	"github.com/honeml/hone/sdk/kernels"
)

func (a *app) planCommand() *cobra.Command {
	var flags fileFlags
	var device string
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Say what a run would do: model, steps, memory, and what was chosen",
		Args:  exactly(1, "a run file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.elsewhere = device != ""
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
			return s.plan(cmd.Context(), device)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&device, "device", "", "plan for a `device` that is not here, such as H100 or \"RTX 4090\"")
	return cmd
}

// plan asks the kernels plugin for an estimate and prints it.
func (s *session) plan(ctx context.Context, device string) error {
	process, err := s.kernels.start(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err := process.Close(context.WithoutCancel(ctx)); err != nil {
			s.app.log().Warn("closing a plugin", "error", err)
		}
	}()
	req := s.bindRequest()
	req.Limits.Device = device
	p, err := process.Backend().Estimate(ctx, &req)
	if err != nil {
		return s.explain(err)
	}
	steps, err := s.length(s.run)
	if err != nil {
		return err
	}
	tokens, err := s.meanStep()
	if err != nil {
		return err
	}
	return s.printPlan(s.app.Out, p, steps, tokens)
}

func (s *session) printPlan(w io.Writer, p *kernels.Plan, steps int64, tokens float64) error {
	t := s.run.Train
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("run", "%s", s.run.Name)
	row("model", "%s", s.modelLine())
	if line := s.tokensLine(); line != "" {
		row("tokens", "%s", line)
	}
	if line := s.scalingLine(); line != "" {
		row("positions", "%s", line)
	}
	row("data", "%s", s.dataLine())
	warmup := train.WarmupSteps(t.Warmup, steps)
	row("steps", "%d; learning rate %g, %s, %d of warm-up", steps, t.LearningRate, t.Schedule, warmup)
	row("device", "%s: %s", s.kernels.plugin, p.Device.Name)
	row("memory", "%s", bytesText(p.TotalBytes()))
	for _, m := range p.Memory {
		if m.Bytes > 0 {
			row("", "%-12s %s", m.Category, bytesText(m.Bytes))
		}
	}
	row("work", "%.3g TFLOP a step of %.0f tokens", p.FLOPsPerToken*tokens/1e12, tokens)
	if p.SecondsPerStep > 0 {
		row("time", "%.3g s a step", p.SecondsPerStep)
	}
	for _, c := range p.Choices {
		row("chosen", "%s (%s)", c.What, c.Why)
	}
	notes := p.Notes
	if note := s.kernels.note; note != "" && !slices.Contains(notes, note) {
		notes = append([]string{note}, notes...)
	}
	for _, note := range notes {
		row("note", "%s", note)
	}
	return out.Flush()
}

// meanStep is the mean number of tokens of an epoch's steps.
func (s *session) meanStep() (float64, error) {
	spec := orderSpec(s.run)
	spec.Epochs, spec.Steps = 1, 0
	order, err := data.NewOrder(s.train.Lengths(), spec)
	if err != nil {
		return 0, err
	}
	return float64(s.train.Tokens()) / float64(max(1, order.TotalSteps())), nil
}

func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
