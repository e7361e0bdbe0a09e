package plugintest_test

import (
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/sdk/plugintest/refbackend"
)

func TestReferenceBackend(t *testing.T) {
	o := plugintest.KernelsOptions{}
	if testing.Short() {
		o.Graphs = 3 // which are as concurrent as all of them
	}
	plugintest.Kernels(t, func() kernels.Backend { return refbackend.New() }, o)
}
