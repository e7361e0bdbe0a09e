package pluginhost

import (
	"os"
	"strings"
)

// executableSuffix ends the name of a program's file.
const executableSuffix = ".exe"

func isExecutable(name string, _ os.FileInfo) bool {
	return strings.HasSuffix(strings.ToLower(name), executableSuffix)
}

// dataDirectory is where a user keeps data of programs.
func dataDirectory(getenv func(string) string) string { return getenv("LOCALAPPDATA") }
