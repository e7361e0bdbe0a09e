package cli

import "github.com/spf13/cobra"

func (a *app) quickstartCommand() *cobra.Command {
	return &cobra.Command{Use: "quickstart"}
}
