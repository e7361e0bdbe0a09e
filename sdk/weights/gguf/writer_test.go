package gguf

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// rewrite writes what golden holds to a new file and returns its path.
func rewrite(t *testing.T, golden *File) string {
	t.Helper()
	var keyValues []KeyValue
	for _, key := range golden.Keys() {
		v, err := golden.Value(key)
		if err != nil {
			t.Fatal(err)
		}
		keyValues = append(keyValues, KeyValue{key, v})
	}
	var specs []tensorfile.Spec
	for _, info := range golden.Tensors() {
		specs = append(specs, tensorfile.Spec{Name: info.Name, DType: info.DType, Shape: info.Shape})
	}
	path := filepath.Join(t.TempDir(), "out.gguf")
	w, err := Create(path, keyValues, specs, tensorfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, tensor := range slices.Backward(w.Tensors()) {
		info, _ := golden.Lookup(tensor.Spec().Name)
		if _, err := tensor.Write(info.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWriteEqualsReference writes what the Python package's file holds and wants
// the same bytes.
func TestWriteEqualsReference(t *testing.T) {
	got, err := os.ReadFile(rewrite(t, openGolden(t)))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/all.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the files differ:\n%q\n%q", got, want)
	}
}

func TestCreateRefuses(t *testing.T) {
	spec := func(name string, d dtype.DType, shape ...int) []tensorfile.Spec {
		return []tensorfile.Spec{{Name: name, DType: d, Shape: shape}}
	}
	for _, tt := range []struct {
		name      string
		keyValues []KeyValue
		specs     []tensorfile.Spec
		err       string
	}{
		{"key twice", []KeyValue{{"k", uint8(1)}, {"k", uint8(1)}}, nil, `key "k" is given twice`},
		{"key that is not UTF-8", []KeyValue{{"\xff", uint8(1)}}, nil, "not valid UTF-8"},
		{"int", []KeyValue{{"k", 1}}, nil, `key "k": GGUF has no type for a Go int`},
		{"nil", []KeyValue{{"k", nil}}, nil, `key "k": GGUF has no type for a Go <nil>`},
		{"slice of slices", []KeyValue{{"k", [][]uint8{}}}, nil, "[][]uint8"},
		{"alignment of another type", []KeyValue{{alignmentKey, uint64(32)}}, nil, "no power of two"},
		{"alignment", []KeyValue{{alignmentKey, uint32(33)}}, nil, "no power of two"},
		{"no name", nil, spec("", dtype.F32, 1), "cannot be a tensor's name"},
		{"long name", nil, spec(strings.Repeat("n", 64), dtype.F32, 1), "64 bytes"},
		{"type of safetensors", nil, spec("a", dtype.F8E4M3, 1), `tensor "a": GGUF has no type F8_E4M3`},
		{"unknown type", nil, spec("a", dtype.Unknown, 1), `tensor "a"`},
		{"five dimensions", nil, spec("a", dtype.F32, 1, 1, 1, 1, 1), "more than 4 dimensions"},
		{"part of a block", nil, spec("a", dtype.Q8_0, 2, 31), `tensor "a": rows of 31`},
		{"twice", nil, append(spec("a", dtype.F32), spec("a", dtype.F32)...), "declared twice"},
		{"too large", nil, spec("a", dtype.I8, math.MaxInt), "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			_, err := Create(filepath.Join(folder, "x.gguf"), tt.keyValues, tt.specs, tensorfile.Options{})
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if entries, _ := os.ReadDir(folder); len(entries) > 0 {
				t.Errorf("%v is left", entries)
			}
		})
	}
}

// TestPythonReadsWhatIsWritten gives a file to the Python package gguf.
func TestPythonReadsWhatIsWritten(t *testing.T) {
	python := os.Getenv("HONE_TEST_PYTHON")
	if python == "" {
		t.Skip("HONE_TEST_PYTHON names no interpreter with gguf")
	}
	keyValues := []KeyValue{
		{"general.architecture", "llama"},
		{"general.file_type", uint32(7)},
		{"llama.rope.freq_base", float32(0.5)},
		{"tokenizer.ggml.tokens", []string{"a", "Ġb", ""}},
		{"tokenizer.ggml.token_type", []int32{1, 3, -1}},
		{"tokenizer.ggml.add_bos_token", true},
	}
	specs := []tensorfile.Spec{
		{Name: "token_embd.weight", DType: dtype.Q8_0, Shape: []int{3, 32}},
		{Name: "output_norm.weight", DType: dtype.F32, Shape: []int{5}},
		{Name: "blk.0.attn_q.weight", DType: dtype.Q4_K, Shape: []int{2, 256}},
		{Name: "blk.0.ffn_up.weight", DType: dtype.BF16, Shape: []int{2, 3}},
	}
	path := filepath.Join(t.TempDir(), "out.gguf")
	w, err := Create(path, keyValues, specs, tensorfile.Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	data := map[string]string{}
	for i, tensor := range w.Tensors() {
		n, _ := tensor.Spec().Bytes()
		raw := bytes.Repeat([]byte{byte(i + 1)}, n)
		data[tensor.Spec().Name] = hex.EncodeToString(raw)
		if _, err := tensor.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), python, "testdata/check_gguf.py", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var found struct{ Keys, Tensors [][]any }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	want := [][]any{
		{"general.architecture", "STRING", "llama"},
		{"general.file_type", "UINT32", 7.0},
		{"llama.rope.freq_base", "FLOAT32", 0.5},
		{"tokenizer.ggml.tokens", "ARRAY", []any{"a", "Ġb", ""}},
		{"tokenizer.ggml.token_type", "ARRAY", []any{1.0, 3.0, -1.0}},
		{"tokenizer.ggml.add_bos_token", "BOOL", true},
	}
	if !reflect.DeepEqual(found.Keys, want) {
		t.Errorf("keys %v, want %v", found.Keys, want)
	}
	if len(found.Tensors) != len(specs) {
		t.Fatalf("%d tensors, want %d", len(found.Tensors), len(specs))
	}
	for i, s := range specs {
		shape := make([]any, len(s.Shape))
		for j, d := range s.Shape {
			shape[j] = float64(d)
		}
		if want := []any{s.Name, s.DType.String(), shape, data[s.Name]}; !reflect.DeepEqual(found.Tensors[i], want) {
			t.Errorf("%v, want %v", found.Tensors[i], want)
		}
	}
}
