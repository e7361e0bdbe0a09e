package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/plugin"
)

func (a *app) pluginsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "Install, list, check, begin and publish plugins",
		Args:  noSuchCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.pluginsInstallCommand(), a.pluginsListCommand(), a.pluginsUpdateCommand(), a.pluginsRemoveCommand(), a.pluginsVerifyCommand(),
		a.pluginsCheckCommand(), a.pluginsNewCommand(), a.pluginsPackCommand(), a.pluginsKeygenCommand(),
	)
	return cmd
}

func (a *app) pluginsListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the plugins that are found, and what is left alone",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.listPlugins(cmd.Context())
		},
	}
}

// listPlugins lists the plugins that runs without a lock file use, then what else is
// installed.
func (a *app) listPlugins(ctx context.Context) error {
	entries, broken := a.store().List(release.Here())
	out := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, p := range a.plugins().Plugins() {
		version, answers, err := describe(ctx, a.plugins(), p)
		if err != nil {
			version, answers = "?", strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		from := "-"
		if i := slices.IndexFunc(entries, func(e store.Entry) bool { return e.Path == p.Path }); i >= 0 {
			from = entries[i].Source + ", " + entries[i].Signer()
		} else if slices.Contains(a.devNames(), p.String()) {
			from = "-dev"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", p, version, answers, from, p.Path)
	}
	for _, e := range entries {
		if !e.Current {
			fmt.Fprintf(out, "%s\t%s\tfor lock files\t%s, %s\t%s\n", e.Name, e.Version, e.Source, e.Signer(), e.Path)
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	for _, s := range a.plugins().Skipped() {
		fmt.Fprintf(a.Err, "left alone: %s\n", s)
	}
	if broken != nil {
		fmt.Fprintf(a.Err, "left alone: %v\n", broken)
	}
	return nil
}

// describe is a plugin's version and what it is for.
func describe(ctx context.Context, catalog *pluginhost.Catalog, p pluginhost.Plugin) (version, answers string, err error) {
	switch p.Kind {
	case plugin.Model:
		_, d, err := catalog.Model(ctx, p.Name)
		if err != nil {
			return "", "", err
		}
		return d.Version, strings.Join(d.Architectures, " "), nil
	case plugin.Kernels:
		_, d, err := catalog.Kernels(ctx, p.Name)
		if err != nil {
			return "", "", err
		}
		return d.Version, strings.Join(d.Precisions, " "), nil
	}
	_, d, err := catalog.Logger(ctx, p.Name)
	if err != nil {
		return "", "", err
	}
	return d.Version, "rewind: " + string(d.Rewind), nil
}
