package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/honeml/hone/sdk/weights/internal/strictjson"
)

// maxIndex bounds the size of an index file, in bytes: as the headers of the
// shards, it has one entry a tensor.
const maxIndex = maxHeader

// ParseIndex reads the text of a model.safetensors.index.json and returns the
// file, relative to the index, that holds each tensor.
func ParseIndex(text []byte) (map[string]string, error) {
	if len(text) > maxIndex {
		return nil, fmt.Errorf("an index of %d bytes is too large", len(text))
	}
	r, err := strictjson.NewReader(text)
	if err != nil {
		return nil, err
	}
	var files map[string]string
	err = r.Object(func(key string) error {
		if key != "weight_map" {
			return r.Skip()
		}
		files = map[string]string{}
		return r.Object(func(tensor string) error {
			file, err := r.String()
			if err != nil {
				return fmt.Errorf("tensor %q: %w", tensor, err)
			}
			if !filepath.IsLocal(filepath.FromSlash(file)) {
				return fmt.Errorf("tensor %q: %q is no file beside the index", tensor, file)
			}
			files[tensor] = file
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	if files == nil {
		return nil, errors.New("there is no weight_map")
	}
	return files, r.End()
}

// OpenIndex opens the files that the index at path lists, in the order of their
// names, and checks that each tensor is where the index says. Every tensor of the
// files counts, listed or not; one that stands in two files is an error.
func OpenIndex(path string) (files []*File, err error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	where, err := ParseIndex(text)
	if err != nil {
		return nil, fmt.Errorf("reading index %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			for _, f := range files {
				f.Close()
			}
			files = nil
		}
	}()
	opened := map[string]*File{}
	for _, name := range slices.Compact(slices.Sorted(maps.Values(where))) {
		f, err := Open(filepath.Join(filepath.Dir(path), filepath.FromSlash(name)))
		if err != nil {
			return files, fmt.Errorf("index %s: %w", path, err)
		}
		files = append(files, f)
		opened[name] = f
	}
	for _, tensor := range slices.Sorted(maps.Keys(where)) {
		f := opened[where[tensor]]
		if _, ok := f.Lookup(tensor); !ok {
			return files, fmt.Errorf("index %s: tensor %q is not in %s", path, tensor, f.Path())
		}
	}
	return files, unique(files)
}

// unique fails where two of the files hold a tensor of one name.
func unique(files []*File) error {
	holder := map[string]*File{}
	for _, f := range files {
		for _, t := range f.Tensors() {
			if other := holder[t.Name]; other != nil {
				return fmt.Errorf("tensor %q stands in %s and in %s", t.Name, other.Path(), f.Path())
			}
			holder[t.Name] = f
		}
	}
	return nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	if info.Size() > maxIndex {
		return nil, fmt.Errorf("%s: an index of %d bytes is too large", path, info.Size())
	}
	return os.ReadFile(path)
}
