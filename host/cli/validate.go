package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) validateCommand() *cobra.Command {
	var flags fileFlags
	cmd := &cobra.Command{
		Use:   "validate FILE",
		Short: "Check a run file without starting anything",
		Args:  exactly(1, "a run file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.load(cmd.Context(), args[0], flags)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.Out, "%s: run %q is in order\n", args[0], run.Name)
			return nil
		},
	}
	flags.add(cmd)
	return cmd
}
