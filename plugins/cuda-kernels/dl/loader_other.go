//go:build !linux && !darwin

package dl

import "errors"

// openLibrary refuses: this system has no loader that package dl knows.
func openLibrary(string) (handle uintptr, err error) {
	return 0, errors.ErrUnsupported
}

func findSymbol(uintptr, string) (uintptr, error) {
	return 0, errors.ErrUnsupported
}
