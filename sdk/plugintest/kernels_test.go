package plugintest_test

import (
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
)

func TestReferenceBackend(t *testing.T) {
	plugintest.Kernels(t, func() kernels.Backend { return refbackend.New() }, plugintest.KernelsOptions{})
}
