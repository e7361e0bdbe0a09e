package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
)

func (a *app) fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt FILE…",
		Short: "Lay run files out as HCL is laid out; - reads and writes the standard streams",
		Args:  someFiles,
		RunE: func(_ *cobra.Command, args []string) error {
			differs := false
			for _, path := range args {
				changed, err := a.format(path, check)
				if err != nil {
					return err
				}
				differs = differs || changed
			}
			if check && differs {
				return errShown
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; name the files that would change, and fail")
	return cmd
}

// someFiles is an error where no file is named.
func someFiles(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{errors.New("hone fmt takes run files, or - for the standard streams (see hone fmt --help)")}
	}
	return nil
}

// format lays one file out and reports whether it changed, or would.
func (a *app) format(path string, check bool) (changed bool, err error) {
	read := os.ReadFile
	if path == "-" {
		read = func(string) ([]byte, error) { return io.ReadAll(io.LimitReader(a.In, 16<<20)) }
	}
	src, err := read(path)
	if err != nil {
		return false, err
	}
	out, diags := runfile.Format(path, src)
	if err := a.show(diags); err != nil {
		return false, err
	}
	if path == "-" && !check {
		_, err := a.Out.Write(out)
		return false, err
	}
	if bytes.Equal(src, out) {
		return false, nil
	}
	fmt.Fprintln(a.Out, path)
	if check {
		return true, nil
	}
	return true, rundir.WriteFile(path, out)
}
