//go:build !linux

package pluginhost

import "os/exec"

// awaitExit reports that the end of a process cannot be seen here but by waiting
// for it. What it has started then ends by itself, or with a forced end.
func awaitExit(*exec.Cmd) bool { return false }
