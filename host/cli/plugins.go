package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/plugin"
)

func (a *app) pluginsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "List and check plugins",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.pluginsListCommand(), a.pluginsCheckCommand())
	return cmd
}

func (a *app) pluginsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the plugins that are found, and what is left alone",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
			for _, p := range a.plugins().Plugins() {
				version, answers, err := a.describe(cmd.Context(), p)
				if err != nil {
					version, answers = "?", err.Error()
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", p, version, answers, p.Path)
			}
			if err := out.Flush(); err != nil {
				return err
			}
			for _, s := range a.plugins().Skipped() {
				fmt.Fprintf(a.Err, "left alone: %s\n", s)
			}
			return nil
		},
	}
}

// describe is a plugin's version and what it is for.
func (a *app) describe(ctx context.Context, p pluginhost.Plugin) (version, answers string, err error) {
	switch p.Kind {
	case plugin.Model:
		_, d, err := a.plugins().Model(ctx, p.Name)
		if err != nil {
			return "", "", err
		}
		return d.Version, strings.Join(d.Architectures, " "), nil
	case plugin.Kernels:
		_, d, err := a.plugins().Kernels(ctx, p.Name)
		if err != nil {
			return "", "", err
		}
		return d.Version, strings.Join(d.Precisions, " "), nil
	}
	_, d, err := a.plugins().Logger(ctx, p.Name)
	if err != nil {
		return "", "", err
	}
	return d.Version, "rewind: " + string(d.Rewind), nil
}
