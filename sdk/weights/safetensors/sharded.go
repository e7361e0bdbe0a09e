package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// DefaultShardBytes is the size of shard that huggingface_hub splits at by default.
const DefaultShardBytes = 5_000_000_000

// A ShardedWriter writes the tensors of a model into one file or several. Data
// may come in any order, as with [tensorfile.Writer].
type ShardedWriter struct {
	index   string // "" for a single file
	shards  []*tensorfile.Writer
	holder  map[string]*tensorfile.Writer
	summary summary
	sync    bool
}

// summary is the content of an index file, its keys in the order in which they
// are written.
type summary struct {
	Metadata struct {
		TotalParameters int64 `json:"total_parameters"`
		TotalSize       int64 `json:"total_size"`
	} `json:"metadata"`
	WeightMap map[string]string `json:"weight_map"`
}

// CreateSharded begins the files of a model in folder: name.safetensors where all
// tensors fit maxBytes, else name-0000x-of-0000y.safetensors and
// name.safetensors.index.json. Shards are filled in the order of tensors, which
// is why a model's layers should be declared in theirs; a tensor that is larger
// than maxBytes has a shard to itself. maxBytes counts the tensors' data; 0
// stands for [DefaultShardBytes].
func CreateSharded(folder, name string, tensors []tensorfile.Spec, maxBytes int64, options Options) (*ShardedWriter, error) {
	w := &ShardedWriter{holder: make(map[string]*tensorfile.Writer, len(tensors)), sync: options.Sync}
	shards, err := w.divide(tensors, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("writing %s in %s: %w", name, folder, err)
	}
	w.summary.WeightMap = make(map[string]string, len(tensors))
	if len(shards) > 1 {
		w.index = filepath.Join(folder, name+".safetensors.index.json")
	}
	for i, specs := range shards {
		file := name + ".safetensors"
		if len(shards) > 1 {
			file = fmt.Sprintf("%s-%05d-of-%05d.safetensors", name, i+1, len(shards))
		}
		shard, err := Create(filepath.Join(folder, file), specs, options)
		if err != nil {
			w.Close()
			return nil, err
		}
		w.shards = append(w.shards, shard)
		for _, t := range specs {
			w.holder[t.Name] = shard
			w.summary.WeightMap[t.Name] = file
		}
	}
	return w, nil
}

// divide fills shards in order.
func (w *ShardedWriter) divide(tensors []tensorfile.Spec, maxBytes int64) ([][]tensorfile.Spec, error) {
	switch {
	case maxBytes == 0:
		maxBytes = DefaultShardBytes
	case maxBytes < 0:
		return nil, fmt.Errorf("a shard of at most %d bytes holds nothing", maxBytes)
	}
	shards := [][]tensorfile.Spec{nil}
	filled := int64(0)
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q is declared twice", t.Name)
		}
		seen[t.Name] = true
		n, err := t.Bytes()
		if err != nil {
			return nil, err
		}
		last := len(shards) - 1
		if filled+int64(n) > maxBytes && len(shards[last]) > 0 {
			shards = append(shards, nil)
			last, filled = last+1, 0
		}
		shards[last] = append(shards[last], t)
		filled += int64(n)
		elements, _ := dtype.Elements(t.Shape) // Bytes has checked it
		w.summary.Metadata.TotalParameters += int64(elements)
		w.summary.Metadata.TotalSize += int64(n)
	}
	return shards, nil
}

// Tensor is what takes the data of the tensor called name.
func (w *ShardedWriter) Tensor(name string) (*tensorfile.TensorWriter, error) {
	shard := w.holder[name]
	if shard == nil {
		return nil, fmt.Errorf("tensor %q was not declared", name)
	}
	return shard.Tensor(name)
}

// Files are the paths that Commit makes, the index last.
func (w *ShardedWriter) Files() []string {
	var paths []string
	for _, s := range w.shards {
		paths = append(paths, s.Path())
	}
	if w.index != "" {
		paths = append(paths, w.index)
	}
	return paths
}

// Commit checks that every tensor is whole, gives the files their names, and
// writes the index last.
func (w *ShardedWriter) Commit() error {
	defer w.Close()
	for _, s := range w.shards {
		if err := s.Commit(); err != nil {
			return err
		}
	}
	if w.index == "" {
		return nil
	}
	return w.writeIndex()
}

func (w *ShardedWriter) writeIndex() error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(w.summary); err != nil {
		return fmt.Errorf("writing %s: %w", w.index, err)
	}
	index, err := tensorfile.Create(w.index, text.Bytes(), nil, int64(text.Len()), tensorfile.Options{Sync: w.sync})
	if err != nil {
		return err
	}
	return index.Commit()
}

// Close abandons the files that were not committed.
func (w *ShardedWriter) Close() error {
	var errs []error
	for _, s := range w.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
