package pluginhost

import "os"

// lockFolder has nothing to do: plugins listen on TCP here.
func lockFolder(string) (*os.File, error) { return nil, nil }

// sweepFolders has nothing to do either.
func sweepFolders(string) {}
