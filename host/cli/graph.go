package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/sdk/graph/adapt"
)

func (a *app) graphCommand() *cobra.Command {
	var maxLength, rank int
	var revision string
	cmd := &cobra.Command{
		Use:   "graph MODEL",
		Short: "Print the Graph of a model: a folder, a .gguf file or hf://OWNER/NAME",
		Args:  exactly(1, "a model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if rank < 0 || maxLength < 0 {
				return usageError{fmt.Errorf("-rank %d, -max-length %d: want 0 or more", rank, maxLength)}
			}
			m, err := a.openModel(cmd.Context(), basemodel.Request{Source: args[0], Revision: revision, MaxLength: maxLength})
			if err != nil {
				return err
			}
			defer m.Close()
			g := m.Graph
			if rank > 0 {
				if g, err = adapt.Apply(g, adapt.LoRA{Rank: rank, Alpha: float64(2 * rank), Targets: []string{adapt.Auto}}); err != nil {
					return err
				}
			}
			return g.WriteText(a.Out)
		},
	}
	cmd.Flags().IntVar(&maxLength, "max-length", 0, "the longest document, in `tokens`; RoPE scaling may depend on it")
	cmd.Flags().IntVar(&rank, "rank", 0, "put adapters of this `rank` onto all linears")
	cmd.Flags().StringVar(&revision, "revision", "", "the `revision` of a model of the Hub")
	return cmd
}
