package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Files are the files that a user means by a source: a file, a folder (its
// .jsonl, .ndjson, .json and .txt files, gzipped too, but not those of folders in
// it), or a pattern with * ? [ ], each in the order of their names.
func Files(source string) ([]string, error) {
	if strings.Contains(source, "://") {
		return nil, fmt.Errorf("data source %q: hone reads files; download the data set first", source)
	}
	info, err := os.Stat(source)
	switch {
	case err == nil && info.IsDir():
		return folderFiles(source)
	case err == nil:
		return []string{source}, nil
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(source, "*?["):
		return nil, fmt.Errorf("data source: %w", err)
	}
	matches, err := filepath.Glob(source)
	if err != nil {
		return nil, fmt.Errorf("data source %q: %w", source, err)
	}
	matches = slices.DeleteFunc(matches, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.IsDir()
	})
	if len(matches) == 0 {
		return nil, fmt.Errorf("data source %q: no file matches", source)
	}
	return matches, nil
}

func folderFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, fmt.Errorf("data source: %w", err)
	}
	var files []string
	for _, entry := range entries {
		name := strings.TrimSuffix(strings.ToLower(entry.Name()), ".gz")
		switch filepath.Ext(name) {
		case ".jsonl", ".ndjson", ".json", ".txt":
			if !entry.IsDir() && !strings.HasPrefix(name, ".") {
				files = append(files, filepath.Join(folder, entry.Name()))
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("data source %q: no .jsonl, .json or .txt file in this folder", folder)
	}
	return files, nil
}
