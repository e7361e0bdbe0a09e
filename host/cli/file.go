package cli

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/runfile"
)

// fileFlags are the flags of commands that read a run file.
type fileFlags struct {
	vars, varFiles []string
	run            string
}

func (f *fileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.vars, "var", nil, "set a variable: `NAME=VALUE`")
	cmd.Flags().StringArrayVar(&f.varFiles, "var-file", nil, "set variables from a `file`, HCL or JSON")
	cmd.Flags().StringVar(&f.run, "name", "", "the `run` block to take, where the file has several")
}

// load reads a run file and prints what is wrong with it.
func (a *app) load(ctx context.Context, path string, f fileFlags) (*runfile.Run, error) {
	run, diags := runfile.Load(ctx, path, runfile.Options{
		Run: f.run, Vars: f.vars, VarFiles: f.varFiles, LookupEnv: os.LookupEnv, Plugins: a.plugins().Schemas(ctx),
	})
	return run, a.show(diags)
}
