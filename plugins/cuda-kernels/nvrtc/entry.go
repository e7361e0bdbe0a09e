package nvrtc

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// An entry's file is entryMagic, a checksum, the length of the cubin in 8 bytes, the
// cubin, and the compiler's log. The checksum is over the key and all that follows it,
// so that an entry under another's name is not taken for it.
const (
	entryMagic  = "hone kernel 1\n"
	entrySuffix = ".kernel"
	// temporaryPattern names files that are being written; it does not end in
	// entrySuffix.
	temporaryPattern = "*.writing"
	maxEntryBytes    = 128 << 20
	// staleAfter is when a file that is being written was left by a crash.
	staleAfter = time.Hour
)

var errBroken = errors.New("the entry is broken")

func readEntry(path string, id key) (code []byte, log string, err error) {
	data, err := readRegular(path)
	if err != nil {
		return nil, "", err
	}
	rest, ok := bytes.CutPrefix(data, []byte(entryMagic))
	if !ok || len(rest) < sha256.Size+8 {
		return nil, "", errBroken
	}
	sum, body := rest[:sha256.Size], rest[sha256.Size:]
	if want := checksum(id, body); !bytes.Equal(sum, want[:]) {
		return nil, "", errBroken
	}
	length, content := binary.LittleEndian.Uint64(body), body[8:]
	if length > uint64(len(content)) {
		return nil, "", errBroken
	}
	return content[:length:length], string(content[length:]), nil
}

// readRegular reads a file, but no pipe or device, which could keep it waiting.
func readRegular(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxEntryBytes {
		return nil, errBroken
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxEntryBytes))
}

func checksum(id key, body []byte) (sum key) {
	h := sha256.New()
	h.Write(id[:])
	h.Write(body)
	return key(h.Sum(nil))
}

// writeEntry writes a file beside the entry's place and renames it: a reader finds a
// whole entry or none, and of two writers the later one wins.
func writeEntry(path string, id key, code []byte, log string) error {
	body := binary.LittleEndian.AppendUint64(nil, uint64(len(code)))
	body = append(append(body, code...), log...)
	sum := checksum(id, body)
	if len(body) > maxEntryBytes-len(entryMagic)-len(sum) {
		return fmt.Errorf("a kernel of %d bytes is too large", len(code))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), temporaryPattern)
	if err != nil {
		return err
	}
	_, err = file.Write(slices.Concat([]byte(entryMagic), sum[:], body))
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// touch marks an entry as used now. Where that is not permitted it is removed
// earlier than it could be.
func touch(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now)
}

// trim removes the entries that were not used for the longest time, until the folder
// is within limit bytes, but never the entry keep; and what crashed writers left.
func trim(dir string, limit int64, keep string) {
	listed, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var entries []fs.FileInfo
	total := int64(0)
	for _, file := range listed {
		info, err := file.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if ok, _ := filepath.Match(temporaryPattern, info.Name()); ok && time.Since(info.ModTime()) > staleAfter {
			os.Remove(filepath.Join(dir, info.Name()))
		}
		if strings.HasSuffix(info.Name(), entrySuffix) {
			entries = append(entries, info)
			total += info.Size()
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, entry := range entries {
		if total <= limit {
			return
		}
		path := filepath.Join(dir, entry.Name())
		if path != keep && os.Remove(path) == nil {
			total -= entry.Size()
		}
	}
}
