// Package binaries builds hone and its plugins for tests that run them.
//
// Three environment variables say what the tests run:
//
//	HONE_TEST_BINARIES   a folder of built programs to take instead, as make build
//	                     leaves it: for a machine without Go
//	HONE_TEST_KERNELS    the kernels plugin of tests that run any, "cpu" by default
//	HONE_TEST_PRECISION  train.precision of the runs of package e2e, "bf16" by default
package binaries

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/honeml/hone/host/pluginhost"
)

// folderEnv names the folder of programs that are built already.
const folderEnv = "HONE_TEST_BINARIES"

const module = "github.com/honeml/hone/"

// Hone names the host among what is built; other names are folders of plugins/.
const Hone = "hone"

// Everywhere are the plugins that come with hone and run on any machine.
func Everywhere() []string {
	return []string{"cpu-kernels", "logger-tensorboard", "logger-wandb", "model-llama", "model-mistral"}
}

// Kernels names the kernels plugin to test, as a run file does; its folder in plugins/
// is that name and "-kernels".
func Kernels() string { return cmp.Or(os.Getenv("HONE_TEST_KERNELS"), "cpu") }

// Precision is the precision to test it in.
func Precision() string { return cmp.Or(os.Getenv("HONE_TEST_PRECISION"), "bf16") }

// Build builds what names name into a new folder of temporary files, under the
// file names that make build gives, and returns the folder. The caller removes it.
// Where HONE_TEST_BINARIES names a folder, the new one has links to its files.
func Build(ctx context.Context, names ...string) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "hone-binaries"); err != nil {
		return "", fmt.Errorf("building hone: %w", err)
	}
	from := os.Getenv(folderEnv)
	if from == "" {
		err = build(ctx, folder, names)
	} else {
		err = link(from, folder, names)
	}
	if err != nil {
		os.RemoveAll(folder)
		return "", fmt.Errorf("building hone: %w", err)
	}
	return folder, nil
}

// build has one command build everything, so that packages which several programs
// share are compiled once.
func build(ctx context.Context, folder string, names []string) error {
	args := []string{"build", "-ldflags=-s -w", "-o", folder + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, source(name))
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, output)
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(folder, name), filepath.Join(folder, file(name))); err != nil {
			return err
		}
	}
	return nil
}

// link makes links in folder to the programs in the folder from.
func link(from, folder string, names []string) error {
	from, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	for _, name := range names {
		program := filepath.Join(from, file(name))
		if _, err := os.Stat(program); err != nil {
			return fmt.Errorf("%s: %w", folderEnv, err)
		}
		if err := os.Symlink(program, filepath.Join(folder, file(name))); err != nil {
			return err
		}
	}
	return nil
}

// file is the name of a program's file.
func file(name string) string {
	if name == Hone {
		return name
	}
	return pluginhost.Prefix + name
}

// source is the package of a program.
func source(name string) string {
	if name == Hone {
		return module + "host/cmd/hone"
	}
	return module + "plugins/" + name
}
