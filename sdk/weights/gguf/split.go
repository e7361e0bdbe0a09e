package gguf

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// The keys by which splits know each other.
const (
	splitNumberKey  = "split.no"
	splitCountKey   = "split.count"
	splitTensorsKey = "split.tensors.count"
)

// splitName is the form of a split's file name: prefix, number from 1, count.
var splitName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})\.gguf$`)

// OpenSplits opens the file at path and, where it is one of several splits, the
// others beside it. The splits come in their order: the first has the key-values.
// That all are there, belong together and hold each tensor once is checked.
func OpenSplits(path string) (files []*File, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	files = []*File{f}
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			files = nil
		}
	}()
	if !f.Has(splitCountKey) {
		return files, nil
	}
	count, err := f.Uint(splitCountKey)
	if err != nil || count <= 1 {
		return files, err
	}
	prefix, number, err := splitOf(path, count)
	if err != nil {
		return files, err
	}
	// files[0] is path's own until all are open.
	rest := make([]*File, 0, 16)
	for i := 1; i <= int(count); i++ {
		if i == number {
			rest = append(rest, f)
			continue
		}
		other, err := Open(fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, i, count))
		if err != nil {
			return files, fmt.Errorf("split %d of %d of %s: %w", i, count, path, err)
		}
		files = append(files, other)
		rest = append(rest, other)
	}
	files = rest
	return files, checkSplits(files)
}

// splitOf takes a split's name apart.
func splitOf(path string, count uint64) (prefix string, number int, err error) {
	m := splitName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return "", 0, fmt.Errorf("%s is one of %d splits, whose names must end in -00001-of-%05d.gguf: rename it as it was", path, count, count)
	}
	number, _ = strconv.Atoi(m[2]) // five digits
	if named, _ := strconv.ParseUint(m[3], 10, 64); named != count || number < 1 || number > int(count) {
		return "", 0, fmt.Errorf("%s: its name says split %s of %s, its key %q says %d splits", path, m[2], m[3], splitCountKey, count)
	}
	return filepath.Join(filepath.Dir(path), m[1]), number, nil
}

// checkSplits checks that the files are the splits of one model.
func checkSplits(files []*File) error {
	holder := map[string]*File{}
	for i, f := range files {
		count, err := f.Uint(splitCountKey)
		if err != nil {
			return err
		}
		number, err := f.Uint(splitNumberKey)
		if err != nil {
			return err
		}
		if number != uint64(i) || count != uint64(len(files)) {
			return fmt.Errorf("%s: its keys say split %d of %d, counted from 0", f.Path(), number, count)
		}
		for _, t := range f.Tensors() {
			if other := holder[t.Name]; other != nil {
				return fmt.Errorf("tensor %q stands in %s and in %s", t.Name, other.Path(), f.Path())
			}
			holder[t.Name] = f
		}
	}
	if !files[0].Has(splitTensorsKey) {
		return nil
	}
	total, err := files[0].Uint(splitTensorsKey)
	if err != nil {
		return err
	}
	if total != uint64(len(holder)) {
		return fmt.Errorf("%s and its other splits hold %d tensors, key %q says %d", files[0].Path(), len(holder), splitTensorsKey, total)
	}
	return nil
}
