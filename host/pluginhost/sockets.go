package pluginhost

import (
	"errors"
	"fmt"
	"os"

	"github.com/honeml/hone/sdk/plugin"
)

// socketPathLimit is the most bytes of a Unix socket's path: 104 on macOS, 108 on
// Linux, one of them a zero.
const socketPathLimit = 103

// socketPathTail is what stands below the folder in which socketFolder makes one:
// its own name, that of the folder which go-plugin makes in it, and the socket's, each with
// up to ten digits.
const socketPathTail = len("/"+plugin.SocketFolderPrefix+"/plugin-dir/plugin") + 3*10

// socketFolder makes a private folder for a plugin's socket, in the first of bases
// that is short enough: a longer path fails in the plugin with a message about an
// invalid argument. The caller removes it and closes the lock, in this order.
func socketFolder(bases []string) (dir string, lock *os.File, err error) {
	var errs []error
	for _, base := range bases {
		if base == "" {
			continue
		}
		if len(base)+socketPathTail > socketPathLimit {
			errs = append(errs, fmt.Errorf("%s is too long for the path of a socket", base))
			continue
		}
		sweepFolders(base)
		dir, err := os.MkdirTemp(base, plugin.SocketFolderPrefix)
		if err == nil {
			if lock, err = lockFolder(dir); err == nil {
				return dir, lock, nil
			}
			os.RemoveAll(dir)
		}
		errs = append(errs, err)
	}
	return "", nil, fmt.Errorf("no folder for a plugin's socket: %w", errors.Join(errs...))
}

// socketBases are the folders that socketFolder tries.
func socketBases() []string {
	return []string{os.TempDir(), os.Getenv("XDG_RUNTIME_DIR"), "/tmp", "/var/tmp"}
}
