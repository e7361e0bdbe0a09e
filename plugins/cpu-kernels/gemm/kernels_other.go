//go:build !amd64 && !arm64

package gemm

import "github.com/honeml/hone/plugins/cpu-kernels/isa"

// vectorKernels: there are none for this architecture.
func vectorKernels(isa.Level) (*kernels, bool) { return nil, false }
