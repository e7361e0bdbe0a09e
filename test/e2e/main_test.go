package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// built is the folder of the program and the plugins, as make build leaves it, and
// kept that of what tests share.
var built, kept string

// pluginNames are the plugins that come with hone and run anywhere.
var pluginNames = []string{"cpu-kernels", "logger-tensorboard", "logger-wandb", "model-llama", "model-mistral"}

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	built, kept = filepath.Join(dir, "bin"), filepath.Join(dir, "kept")
	if err := build(built); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(dir string) error {
	packages := map[string]string{"hone": "../../host/cmd/hone"}
	for _, name := range pluginNames {
		packages["hone-plugin-"+name] = "../../plugins/" + name
	}
	for binary, source := range packages {
		cmd := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(dir, binary), source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if output, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", binary, err, output)
		}
	}
	return nil
}
