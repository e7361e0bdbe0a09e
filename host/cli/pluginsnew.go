package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/scaffold"
)

func (a *app) pluginsNewCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "new",
		Short: "Begin the module of a plugin",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.pluginsNewModelCommand())
	return cmd
}

func (a *app) pluginsNewModelCommand() *cobra.Command {
	m := scaffold.Model{Version: a.version}
	cmd := &cobra.Command{
		Use:   "model NAME",
		Short: "Begin the module of a model plugin: it builds and passes its tests, as a Llama",
		Args:  exactly(1, "the plugin's name, such as falcon"),
		RunE: func(_ *cobra.Command, args []string) error {
			m.Name = args[0]
			folder, err := m.Write()
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Out, "%s is a Go module with a model plugin.\n\n", folder)
			fmt.Fprintf(a.Out, "  cd %s\n", folder)
			if m.SDK == "" {
				fmt.Fprintln(a.Out, "  go mod tidy    # fetches the SDK")
			}
			fmt.Fprintln(a.Out, "  make test      # it is a Llama: change model.go")
			fmt.Fprintln(a.Out, "  make golden    # what the tests compare with, by transformers")
			return nil
		},
	}
	cmd.Flags().StringVar(&m.Architecture, "architecture", "", "the `class` of transformers that configurations name; without it, of the plugin's name: FalconForCausalLM")
	cmd.Flags().StringVar(&m.Module, "module", "", "the module's `path`, such as github.com/you/hone-plugin-model-falcon")
	cmd.Flags().StringVarP(&m.Folder, "output", "o", "", "the `folder` to write it into; without it, hone-plugin-model-NAME here")
	cmd.Flags().StringVar(&m.SDK, "sdk", "", "a `folder` with the source of hone, of whose SDK there is no release")
	return cmd
}
