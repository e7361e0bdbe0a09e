package weights

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/sdk/weights/gguf"
	"github.com/honeml/hone/sdk/weights/safetensors"
)

// Names by which a folder's weights are known, as transformers and PEFT write them.
const (
	modelIndex    = "model.safetensors.index.json"
	modelFile     = "model.safetensors"
	adapterFile   = "adapter_model.safetensors"
	indexSuffix   = ".safetensors.index.json"
	safeSuffix    = ".safetensors"
	ggufSuffix    = ".gguf"
	shardInfix    = "-of-"
	lfsFirstBytes = "version https://git-lfs.github.com/spec/"
)

// Open opens the weights at the paths: their union, in which no name may stand
// twice. A path is
//
//   - a folder, of which is opened: model.safetensors.index.json, else
//     model.safetensors, else the only index there is, else all .safetensors files
//     where their names make them shards of one model or there is one alone, else
//     adapter_model.safetensors, else the only GGUF model;
//   - a .safetensors file, alone;
//   - an index, with its shards;
//   - a .gguf file, with its other splits;
//   - any other file that holds one of the two formats.
func Open(paths ...string) (*Checkpoint, error) {
	if len(paths) == 0 {
		return nil, errors.New("no path of weights was given")
	}
	c := &Checkpoint{}
	for _, path := range paths {
		if err := c.open(path); err != nil {
			c.Close()
			return nil, err
		}
	}
	if err := c.gather(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Checkpoint) open(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return c.openFolder(path)
	}
	return c.openFile(path)
}

func (c *Checkpoint) openFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file", path)
	}
	if err := c.openAs(format(path), path); err != nil {
		if hint := hintFor(path); hint != "" {
			return fmt.Errorf("%w\n%s", err, hint)
		}
		return err
	}
	return nil
}

func (c *Checkpoint) openAs(format, path string) error {
	switch format {
	case indexSuffix:
		files, err := safetensors.OpenIndex(path)
		if err != nil {
			return err
		}
		c.files = append(c.files, path)
		c.addSafetensors(files)
	case ggufSuffix:
		files, err := gguf.OpenSplits(path)
		if err != nil {
			return err
		}
		c.addGGUF(files)
	case safeSuffix:
		f, err := safetensors.Open(path)
		if err != nil {
			return err
		}
		c.addSafetensors([]*safetensors.File{f})
	default:
		return fmt.Errorf("%s is neither a safetensors nor a GGUF file", path)
	}
	return nil
}

// format tells a file's format by its name, else by its first bytes; "" is none.
func format(path string) string {
	for _, suffix := range []string{indexSuffix, ggufSuffix, safeSuffix} {
		if strings.HasSuffix(path, suffix) {
			return suffix
		}
	}
	if strings.HasSuffix(path, "index.json") {
		return indexSuffix
	}
	switch first := firstBytes(path, 9); {
	case bytes.HasPrefix(first, []byte("GGUF")):
		return ggufSuffix
	case len(first) == 9 && first[8] == '{' && first[7] == 0:
		return safeSuffix
	}
	return ""
}

// firstBytes is at most n bytes from the start of a file, fewer where it is
// shorter or cannot be read.
func firstBytes(path string, n int) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	first := make([]byte, n)
	n, _ = io.ReadFull(f, first)
	return first[:n]
}

// hintFor says what to do about a file that could not be opened, or "".
func hintFor(path string) string {
	if bytes.HasPrefix(firstBytes(path, len(lfsFirstBytes)), []byte(lfsFirstBytes)) {
		return fmt.Sprintf("%s is a pointer that Git LFS leaves in place of the file: fetch the file itself with \"git lfs pull\"", path)
	}
	switch filepath.Ext(path) {
	case ".bin", ".pt", ".pth", ".ckpt":
		return "PyTorch's own files can run code when they are read, so hone does not: convert them to safetensors"
	}
	return ""
}

func (c *Checkpoint) openFolder(folder string) error {
	names, err := weightFiles(folder)
	if err != nil {
		return err
	}
	chosen, err := choose(folder, names)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		if err := c.openFile(filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	return nil
}

// weightFiles are the names of the files in a folder, sorted.
func weightFiles(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// choose says which of a folder's files are its weights, as [Open] documents.
func choose(folder string, names []string) ([]string, error) {
	having := func(suffix string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !strings.HasSuffix(n, suffix) })
	}
	for _, name := range []string{modelIndex, modelFile} {
		if slices.Contains(names, name) {
			return []string{name}, nil
		}
	}
	if indexes := having(indexSuffix); len(indexes) == 1 {
		return indexes, nil
	}
	safe := having(safeSuffix)
	switch {
	case len(safe) == 1:
		return safe, nil
	case len(safe) > 1:
		if err := shardsOfOne(safe); err == nil {
			return safe, nil
		} else if slices.Contains(safe, adapterFile) {
			return []string{adapterFile}, nil
		} else {
			return nil, fmt.Errorf("%s holds several safetensors files and no index, and %w: name the files to read", folder, err)
		}
	}
	models := having(ggufSuffix)
	switch firsts := firstSplits(models); {
	case len(firsts) == 1:
		return firsts, nil
	case len(firsts) > 1:
		return nil, fmt.Errorf("%s holds several GGUF models: name one of %s", folder, strings.Join(firsts, ", "))
	}
	for _, name := range names {
		if hint := hintFor(filepath.Join(folder, name)); hint != "" && strings.Contains(name, "model") {
			return nil, fmt.Errorf("%s holds no safetensors and no GGUF file, only %s\n%s", folder, name, hint)
		}
	}
	return nil, fmt.Errorf("%s holds no safetensors and no GGUF file", folder)
}

// shardsOfOne fails where the names are not prefix-00001-of-0000N.safetensors to
// the last of one model.
func shardsOfOne(names []string) error {
	prefix, _, count, _ := shard(names[0], safeSuffix)
	for i, name := range names {
		p, number, n, ok := shard(name, safeSuffix)
		switch {
		case !ok:
			return fmt.Errorf("%s is not named as a shard", name)
		case p != prefix || n != count:
			return fmt.Errorf("%s and %s are shards of different models", names[0], name)
		case number != i+1:
			return fmt.Errorf("shard %d of %d is missing", i+1, count)
		}
	}
	if len(names) != count {
		return fmt.Errorf("shard %d of %d is missing", len(names)+1, count)
	}
	return nil
}

// firstSplits leaves out the splits after the first.
func firstSplits(names []string) []string {
	var firsts []string
	for _, name := range names {
		if _, number, _, ok := shard(name, ggufSuffix); !ok || number == 1 {
			firsts = append(firsts, name)
		}
	}
	return firsts
}

// shard takes a name of the form prefix-00001-of-00003suffix apart.
func shard(name, suffix string) (prefix string, number, count int, ok bool) {
	stem, found := strings.CutSuffix(name, suffix)
	rest, last, found2 := cutLast(stem, shardInfix)
	prefix, first, found3 := cutLast(rest, "-")
	number, err := strconv.Atoi(first)
	count, err2 := strconv.Atoi(last)
	ok = found && found2 && found3 && len(first) == 5 && len(last) == 5 && err == nil && err2 == nil
	return prefix, number, count, ok
}

// cutLast cuts s around the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(s, separator); i >= 0 {
		return s[:i], s[i+len(separator):], true
	}
	return s, "", false
}
