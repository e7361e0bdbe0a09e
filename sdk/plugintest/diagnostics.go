package plugintest

import (
	"errors"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
)

// asDiagnostics are the diagnostics of an error, whether it came through the wire or
// not.
func asDiagnostics(err error) config.Diagnostics {
	var diagnostics config.Diagnostics
	if errors.As(err, &diagnostics) {
		return diagnostics
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Diagnostics
	}
	return nil
}
