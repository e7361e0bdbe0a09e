package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/sdk/plugin"
	"github.com/honeml/hone/sdk/plugintest"
)

func (a *app) pluginsCheckCommand() *cobra.Command {
	var kind, block string
	cmd := &cobra.Command{
		Use:   "check PATH",
		Short: "Run a plugin through the rules of its kind, and name those that it breaks",
		Args:  exactly(1, "the path of a plugin's binary"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := plugintest.Options{Kind: plugin.Kind(kind)}
			config, err := readBlock(block)
			if err != nil {
				return usageError{err}
			}
			o.Kernels.Config, o.Logger.Config = config, config
			report, err := plugintest.Check(cmd.Context(), args[0], o)
			if err != nil {
				return err
			}
			if err := report.Write(a.Out); err != nil {
				return err
			}
			if n := len(report.Failures()); n > 0 {
				return fmt.Errorf("%s breaks %d of %d rules", args[0], n, len(report.Results))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "kind", "", "model, kernels or logger; without it, what the file's name says")
	cmd.Flags().StringVar(&block, "config", "", "the plugin's block of the run file, as a JSON `file`")
	return cmd
}

// readBlock reads a plugin's block from a JSON file; "" is an empty one.
func readBlock(path string) (map[string]any, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var block map[string]any
	if err := json.Unmarshal(data, &block); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no JSON object", path), err)
	}
	return block, nil
}
