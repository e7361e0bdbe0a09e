//go:build !unix

package rundir

import "os"

// tryLock does nothing where files cannot be locked in this way.
func tryLock(*os.File) error { return nil }
