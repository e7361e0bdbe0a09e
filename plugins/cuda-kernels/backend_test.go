package main

import (
	"os"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugintest"
)

// needGPU skips a test on a machine without a GPU, unless HONE_TEST_GPU says that
// there is one.
func needGPU(t *testing.T) {
	t.Helper()
	gpu, err := device.Open(device.Options{})
	switch {
	case err == nil:
		if err := gpu.Close(); err != nil {
			t.Fatal(err)
		}
	case os.Getenv("HONE_TEST_GPU") != "":
		t.Fatal(err)
	default:
		t.Skipf("no GPU: %v", err)
	}
}

func TestConformance(t *testing.T) {
	needGPU(t)
	for _, precision := range []string{"fp32", "bf16", "fp16"} {
		t.Run(precision, func(t *testing.T) {
			plugintest.Kernels(t, func() kernels.Backend { return new(backend) }, plugintest.KernelsOptions{Precision: precision})
		})
	}
}
