package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/honeml/hone/test/binaries"
)

// built is the folder of the program and the plugins, as make build leaves it, and
// kept that of what tests share.
var built, kept string

// kernelsPlugin is the kernels plugin of the runs.
var kernelsPlugin = binaries.Kernels() + "-kernels"

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	names := append(binaries.Everywhere(), binaries.Hone)
	if !slices.Contains(names, kernelsPlugin) {
		names = append(names, kernelsPlugin)
	}
	if built, err = binaries.Build(context.Background(), names...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(built)
	if kept, err = os.MkdirTemp("", "e2e"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(kept)
	return m.Run()
}
