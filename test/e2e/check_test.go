//go:build unix

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/plugintest"
)

// TestBinaries runs hone plugins check on the loggers and the kernels plugin as they were
// built; package parity does on models. Of a kernels plugin's rules, which its own tests
// have kept all, those that a process of its own can make a difference to.
func TestBinaries(t *testing.T) {
	for _, name := range []string{"logger-tensorboard", "logger-wandb", kernelsPlugin} {
		t.Run(name, func(t *testing.T) {
			plugintest.Program(t, filepath.Join(built, pluginhost.Prefix+name), plugintest.Options{Kernels: plugintest.KernelsOptions{Only: []string{
				"kernels/describe", "kernels/out-of-order-refused", "kernels/loss-is-a-sum", "kernels/save-restore-exact",
				"kernels/generate-greedy", "kernels/errors-of-the-host", "kernels/cancel", "kernels/close",
			}}})
		})
	}
}
