// Package binaries builds hone and its plugins for tests that run them.
package binaries

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/honeml/hone/host/pluginhost"
)

const module = "github.com/honeml/hone/"

// Hone names the host among what is built; other names are folders of plugins/.
const Hone = "hone"

// Everywhere are the plugins that come with hone and run on any machine.
func Everywhere() []string {
	return []string{"cpu-kernels", "logger-tensorboard", "logger-wandb", "model-llama", "model-mistral"}
}

// Build builds what names name into a new folder of temporary files, under the
// file names that make build gives, and returns the folder. The caller removes it.
func Build(ctx context.Context, names ...string) (folder string, err error) {
	if folder, err = os.MkdirTemp("", "hone-binaries"); err != nil {
		return "", fmt.Errorf("building hone: %w", err)
	}
	if err := build(ctx, folder, names); err != nil {
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
		if name == Hone {
			continue
		}
		if err := os.Rename(filepath.Join(folder, name), filepath.Join(folder, pluginhost.Prefix+name)); err != nil {
			return err
		}
	}
	return nil
}

// source is the package of a program.
func source(name string) string {
	if name == Hone {
		return module + "host/cmd/hone"
	}
	return module + "plugins/" + name
}
