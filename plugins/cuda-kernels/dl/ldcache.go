package dl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// The loader's cache, /etc/ld.so.cache, in glibc's format 1.1: a header of 48
// bytes, entries of 24, then strings. A file may begin with a part in an older
// format, which is passed over; positions count from the magic. See glibc's
// sysdeps/generic/dl-cache.h.
const (
	cacheMagic  = "glibc-ld.so.cache1.1"
	cacheHeader = 48
	cacheEntry  = 24
	// maxCache bounds what is read: a machine's own is some ten thousand times 60
	// bytes at most.
	maxCache = 64 << 20
)

// readLoaderCache is the cache's entries, soname to paths in the loader's order.
func readLoaderCache(path string) (map[string][]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxCache {
		return nil, fmt.Errorf("%s: %d bytes, more than the %d that are read", path, info.Size(), maxCache)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	entries, err := parseLoaderCache(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

func parseLoaderCache(data []byte) (map[string][]string, error) {
	start := bytes.Index(data, []byte(cacheMagic))
	if start < 0 {
		return nil, fmt.Errorf("no loader cache in glibc's format 1.1")
	}
	data = data[start:]
	if len(data) < cacheHeader {
		return nil, fmt.Errorf("the loader cache ends in its header")
	}
	count := uint64(binary.LittleEndian.Uint32(data[20:]))
	if uint64(len(data)) < cacheHeader+count*cacheEntry {
		return nil, fmt.Errorf("the loader cache ends before its %d entries do", count)
	}
	text := func(at uint32) (string, bool) {
		if uint64(at) >= uint64(len(data)) {
			return "", false
		}
		end := bytes.IndexByte(data[at:], 0)
		if end < 0 || end > 4096 { // PATH_MAX
			return "", false
		}
		return string(data[at : int(at)+end]), true
	}
	out := map[string][]string{}
	for i := range count {
		entry := data[cacheHeader+i*cacheEntry:]
		soname, ok := text(binary.LittleEndian.Uint32(entry[4:]))
		if !ok {
			return nil, fmt.Errorf("the loader cache's entry %d has no name", i)
		}
		path, ok := text(binary.LittleEndian.Uint32(entry[8:]))
		if !ok {
			return nil, fmt.Errorf("the loader cache's entry %d, %q, has no path", i, soname)
		}
		if soname != "" && path != "" {
			out[soname] = append(out[soname], path)
		}
	}
	return out, nil
}
