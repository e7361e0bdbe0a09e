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

	// elsewhere says that the run is planned for a device that is not here.
	elsewhere bool
	// kernels is the plugin of a run file that names none; "": hone's choice.
	kernels string
}

func (f *fileFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.vars, "var", nil, "set a variable: `NAME=VALUE`")
	cmd.Flags().StringArrayVar(&f.varFiles, "var-file", nil, "set variables from a `file`, HCL or JSON")
	cmd.Flags().StringVar(&f.run, "name", "", "the `run` block to take, where the file has several")
}

// load reads a run file and prints what is wrong with it.
func (a *app) load(ctx context.Context, path string, f fileFlags) (*runfile.Run, error) {
	if err := a.pinFile(ctx, path); err != nil {
		return nil, err
	}
	c := choice{name: f.kernels, own: true}
	if c.name == "" {
		var err error
		if c, err = a.chooseKernels(f.elsewhere); err != nil {
			return nil, err
		}
	}
	run, diags := runfile.Load(ctx, path, runfile.Options{
		DefaultKernels: c.name, Version: a.version,
		Run: f.run, Vars: f.vars, VarFiles: f.varFiles, LookupEnv: os.LookupEnv, Plugins: a.plugins().Schemas(ctx),
	})
	if run != nil {
		run.KernelsChosen = run.KernelsChosen && c.own
	}
	if err := a.show(diags); err != nil || run == nil {
		return run, err
	}
	return run, exportsMade(run)
}
