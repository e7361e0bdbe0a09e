//go:build !unix || aix || solaris

package mapped

import "os"

// mapping reads the first size bytes of f into memory.
func mapping(f *os.File, size int) ([]byte, func([]byte) error, error) {
	data, err := readAll(f, size)
	return data, nil, err
}
