//go:build linux || darwin

package dl

import "github.com/ebitengine/purego"

// openLibrary opens a library with RTLD_NOW and RTLD_LOCAL: a missing symbol shows
// here, and what two versions of a library define does not mix.
func openLibrary(path string) (handle uintptr, err error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

// findSymbol is the address of a function of an open library.
func findSymbol(handle uintptr, name string) (uintptr, error) {
	return purego.Dlsym(handle, name)
}
