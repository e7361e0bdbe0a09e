package pluginhost

import (
	"os"
	"syscall"
)

// fromSystem fills in what the system knows of a file besides.
func (k *fileKey) fromSystem(info os.FileInfo) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		k.Device, k.Inode, k.Changed = s.Dev, s.Ino, s.Ctim.Nano()
	}
}
