//go:build unix

package rundir

import (
	"errors"
	"os"
)

// syncDir brings a folder's entries to the disk.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
