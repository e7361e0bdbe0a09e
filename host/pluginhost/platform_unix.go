//go:build unix

package pluginhost

import (
	"os"
	"path/filepath"
	"runtime"
)

// executableSuffix ends the name of a program's file.
const executableSuffix = ""

func isExecutable(_ string, info os.FileInfo) bool { return info.Mode().Perm()&0o111 != 0 }

// dataDirectory is where a user keeps data of programs, as the XDG base directory
// specification and Apple's file system guide have it.
func dataDirectory(getenv func(string) string) string {
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	home := getenv("HOME")
	switch {
	case home == "":
		return ""
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support")
	}
	return filepath.Join(home, ".local", "share")
}
