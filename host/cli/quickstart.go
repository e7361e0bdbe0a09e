package cli

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/examples/quickstart"
)

func (a *app) quickstartCommand() *cobra.Command {
	return &cobra.Command{
		Use:         "quickstart [FOLDER]",
		Short:       "Fine-tune a very small model that hone carries with it, and see the difference",
		Args:        atMostOne("folder"),
		Annotations: map[string]string{waitsForStep: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "quickstart"
			if len(args) == 1 {
				folder = args[0]
			}
			if err := quickstart.Write(folder); err != nil {
				return err
			}
			path := filepath.Join(folder, quickstart.RunFile)
			fmt.Fprintf(a.Err, "hone run %s\n", path)
			run, err := a.load(cmd.Context(), path, fileFlags{})
			if err != nil {
				return err
			}
			return a.start(cmd.Context(), run, runFlags{})
		},
	}
}
