package e2e

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/honeml/hone/test/binaries"
)

// built is the folder of the program and the plugins, as make build leaves it, and
// kept that of what tests share.
var built, kept string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	if built, err = binaries.Build(context.Background(), append(binaries.Everywhere(), binaries.Hone)...); err != nil {
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
