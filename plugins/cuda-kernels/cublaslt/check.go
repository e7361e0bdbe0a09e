package cublaslt

import "github.com/honeml/hone/plugins/cuda-kernels/dl"

// Check resolves the library's functions and gives its version, without starting it:
// that needs no context. The error is Open's.
func Check(from dl.Symbols) (dl.Version, error) {
	h, err := resolve(from)
	if err != nil {
		return dl.Version{}, err
	}
	return h.version, nil
}
