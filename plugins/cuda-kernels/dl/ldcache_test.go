package dl

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestParseLoaderCache(t *testing.T) {
	good := loaderCacheOf([2]string{"liba.so.1", "/lib/liba.so.1"}, [2]string{"liba.so.1", "/usr/lib/liba.so.1"}, [2]string{"libb.so.2", "/lib/libb.so.2"})
	withOld := append([]byte("ld.so-1.7.0\x00\x00\x00\x00\x00"), good...)
	many := bytes.Clone(good)
	binary.LittleEndian.PutUint32(many[20:], 1<<31)
	outside := bytes.Clone(good)
	binary.LittleEndian.PutUint32(outside[cacheHeader+4:], uint32(len(good)))
	open := bytes.TrimSuffix(good, []byte{0})
	tests := []struct {
		name string
		data []byte
		want []string // paths of liba.so.1
		err  string
	}{
		{"entries", good, []string{"/lib/liba.so.1", "/usr/lib/liba.so.1"}, ""},
		{"after the old format", withOld, []string{"/lib/liba.so.1", "/usr/lib/liba.so.1"}, ""},
		{"no entries", loaderCacheOf(), nil, ""},
		{"empty", nil, nil, "no loader cache"},
		{"header cut", good[:30], nil, "ends in its header"},
		{"more entries than bytes", many, nil, "ends before its 2147483648 entries do"},
		{"a name outside", outside, nil, "entry 0 has no name"},
		{"a path without end", open, nil, `entry 2, "libb.so.2", has no path`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseLoaderCache(tt.data)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || !slices.Equal(got["liba.so.1"], tt.want) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// TestLoaderCacheOfThisMachine holds the parser to a cache that ldconfig wrote.
func TestLoaderCacheOfThisMachine(t *testing.T) {
	if _, err := os.Stat(loaderCache); err != nil {
		t.Skip("this machine has no loader cache")
	}
	entries, err := readLoaderCache(loaderCache)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range entries["libc.so.6"] {
		if _, ok := readShared(path); ok {
			return
		}
	}
	t.Errorf("no libc.so.6 for this machine among %d entries: %q", len(entries), entries["libc.so.6"])
}

func FuzzParseLoaderCache(f *testing.F) {
	f.Add(loaderCacheOf([2]string{"liba.so.1", "/lib/liba.so.1"}))
	f.Add([]byte(cacheMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseLoaderCache(data)
		if err != nil {
			return
		}
		for soname, paths := range entries {
			for _, path := range paths {
				if !bytes.Contains(data, []byte(soname)) || !bytes.Contains(data, []byte(path)) {
					t.Errorf("%q: %q is not in the data", soname, path)
				}
			}
		}
	})
}
