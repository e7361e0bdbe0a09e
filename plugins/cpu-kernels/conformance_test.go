package main

import (
	"testing"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
)

func TestConformance(t *testing.T) {
	plugintest.Kernels(t, func() kernels.Backend { return new(backend) }, plugintest.KernelsOptions{})
}
