//go:build unix && !aix && !solaris

package mapped

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapping maps the first size bytes of f for reading. File systems that cannot
// map are read instead.
func mapping(f *os.File, size int) ([]byte, func([]byte) error, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
		data, err = readAll(f, size)
		return data, nil, err
	}
	return data, unix.Munmap, err
}
