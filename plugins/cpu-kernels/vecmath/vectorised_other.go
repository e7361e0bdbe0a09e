//go:build !amd64

package vecmath

import "github.com/honeml/hone/plugins/cpu-kernels/isa"

// vectorised: there is no assembly for this architecture.
func vectorised(isa.Level) *implementation { return nil }
