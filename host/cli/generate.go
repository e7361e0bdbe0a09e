package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (f *inferenceFlags) add(cmd *cobra.Command, temperature float64, maxTokens int) {
	cmd.Flags().StringVar(&f.kernels, "kernels", "", "the kernels `plugin`; without it the run's own, or the GPU's where there is a GPU")
	cmd.Flags().Int64Var(&f.checkpoint, "step", 0, "take the checkpoint of a `step` of the run instead of its result")
	cmd.Flags().BoolVar(&f.plain, "plain", false, "of a run, take the model without what was trained")
	cmd.Flags().IntVar(&f.maxTokens, "max-tokens", maxTokens, "the most `tokens` of an answer")
	cmd.Flags().Float64Var(&f.temperature, "temperature", temperature, "0 takes the most probable token; higher `values` vary more")
	cmd.Flags().IntVar(&f.topK, "top-k", 0, "draw from the `n` most probable tokens; 0: all")
	cmd.Flags().Float64Var(&f.topP, "top-p", 0, "draw from the most probable tokens that make up this `share`; 0: all")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "what draws depend on")
	cmd.Flags().IntVar(&f.maxLength, "max-length", 0, "the most `tokens` of prompt and answer together; 0: up to 4096, as the model allows")
}

func (a *app) generateCommand() *cobra.Command {
	var flags inferenceFlags
	var prompts []string
	var raw bool
	cmd := &cobra.Command{
		Use:   "generate MODEL|RUN -prompt TEXT",
		Short: "Let a model, or what a run made of it, answer a prompt",
		Args:  exactly(1, "a model or the folder of a run"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(prompts) == 0 {
				return usageError{errors.New("hone generate takes a -prompt")}
			}
			i, err := a.infer(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			for _, p := range prompts {
				if err := i.answer(cmd, p, raw); err != nil {
					return errors.Join(err, i.close(cmd.Context()))
				}
			}
			return i.close(cmd.Context())
		},
	}
	flags.add(cmd, 0, 128)
	cmd.Flags().StringArrayVar(&prompts, "prompt", nil, "the `text` to answer; may be given several times")
	cmd.Flags().BoolVar(&raw, "raw", false, "continue the text as it is, without the model's chat template")
	return cmd
}

// answer prints the answer to a prompt.
func (i *inference) answer(cmd *cobra.Command, prompt string, raw bool) error {
	ids, err := i.ids(cmd, prompt, raw)
	if err != nil {
		return fmt.Errorf("-prompt %.40q: %w", prompt, err)
	}
	if len(ids) == 0 {
		return usageError{errors.New("-prompt is empty: without a chat template there is nothing to continue")}
	}
	if _, err := i.write(cmd.Context(), ids, func(text string) { fmt.Fprint(i.app.Out, text) }); err != nil {
		return err
	}
	fmt.Fprintln(i.app.Out)
	return nil
}

func (i *inference) ids(cmd *cobra.Command, prompt string, raw bool) ([]int32, error) {
	encoder := *i.encoder
	if raw {
		encoder.Template = nil
	}
	return encoder.Prompt(cmd.Context(), prompt)
}
