//go:build unix

package pluginhost

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/honeml/hone/sdk/plugin"
)

// lockFolder marks a folder of sockets as one whose host lives. The system lets go of
// the lock when the host ends, however that comes. The file gets its name when it is
// locked, so that no other host finds it before.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, plugin.SocketLock)
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweepFolders removes the folders of sockets in base whose hosts have ended: a plugin
// cleans up behind a host that was killed, but not where both were. A folder without a
// lock is left alone: its host may be about to make one.
func sweepFolders(base string) {
	locks, _ := filepath.Glob(filepath.Join(base, plugin.SocketFolderPrefix+"*", plugin.SocketLock))
	for _, lock := range locks {
		f, err := os.OpenFile(lock, os.O_RDWR|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue // another user's
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(filepath.Dir(lock))
		}
		f.Close()
	}
}
