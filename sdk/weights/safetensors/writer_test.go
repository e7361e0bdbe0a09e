package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// TestWriteEqualsReference writes the tensors of the reference implementation's
// file, in the reverse order, and wants the same bytes.
func TestWriteEqualsReference(t *testing.T) {
	golden, err := Open("testdata/dtypes.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer golden.Close()
	var specs []tensorfile.Spec
	for _, info := range golden.Tensors() {
		specs = append(specs, tensorfile.Spec{Name: info.Name, DType: info.DType, Shape: info.Shape})
	}
	slices.Reverse(specs)
	path := filepath.Join(t.TempDir(), "out.safetensors")
	w, err := Create(path, specs, Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, s := range specs {
		info, _ := golden.Lookup(s.Name)
		tensor, err := w.Tensor(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		half := len(info.Data) / 2
		for _, piece := range [][]byte{info.Data[:half], info.Data[half:]} {
			if _, err := tensor.Write(piece); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	got, want := readFile(t, path), readFile(t, "testdata/dtypes.safetensors")
	if !bytes.Equal(got, want) {
		t.Errorf("the files differ:\n%q\n%q", got, want)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestShardsEqualReference writes the tensors of the sharded model and wants the
// files of huggingface_hub.
func TestShardsEqualReference(t *testing.T) {
	const golden = "testdata/sharded"
	var specs []tensorfile.Spec
	for i := range 6 {
		specs = append(specs, tensorfile.Spec{Name: "layers." + string(rune('0'+i)) + ".weight", DType: dtype.I64, Shape: []int{i + 1, 4}})
	}
	folder := t.TempDir()
	w, err := CreateSharded(folder, "model", specs, 200, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, s := range specs {
		tensor, err := w.Tensor(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 4 * (i + 1) {
			if _, err := tensor.Write(binary.LittleEndian.AppendUint64(nil, uint64(100*i+j))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := len(w.Files()); n != 5 {
		t.Errorf("files %v", w.Files())
	}
	for _, path := range w.Files() {
		got, want := readFile(t, path), readFile(t, filepath.Join(golden, filepath.Base(path)))
		if strings.HasSuffix(path, ".json") {
			// As transformers does, hone adds total_parameters and ends the file with a newline.
			got = bytes.Replace(got, []byte("    \"total_parameters\": 84,\n"), nil, 1)
			want = append(want, '\n')
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs:\n%q\n%q", path, got, want)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 5 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestOneShardHasNoIndex(t *testing.T) {
	folder := t.TempDir()
	w, err := CreateSharded(folder, "model", []tensorfile.Spec{{Name: "a", DType: dtype.F32, Shape: []int{1}}}, 0, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	tensor, err := w.Tensor("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tensor.WriteFloat32([]float32{2}), w.Commit()); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join(folder, "model.safetensors")}
	if !slices.Equal(w.Files(), want) {
		t.Errorf("files %v, want %v", w.Files(), want)
	}
	if _, err := w.Tensor("b"); err == nil {
		t.Error("an undeclared tensor was given")
	}
}

func TestOversizeTensorHasItsOwnShard(t *testing.T) {
	var w ShardedWriter
	shards, err := w.divide([]tensorfile.Spec{
		{Name: "a", DType: dtype.U8, Shape: []int{4}},
		{Name: "b", DType: dtype.U8, Shape: []int{50}},
		{Name: "c", DType: dtype.U8, Shape: []int{10}},
	}, 10)
	if err != nil || len(shards) != 3 {
		t.Errorf("%v, %v", shards, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		specs []tensorfile.Spec
		err   string
	}{
		{"no name", []tensorfile.Spec{{DType: dtype.F32}}, `""`},
		{"the metadata's name", []tensorfile.Spec{{Name: "__metadata__", DType: dtype.F32}}, "__metadata__"},
		{"invalid UTF-8", []tensorfile.Spec{{Name: "\xff", DType: dtype.F32}}, "cannot be a tensor's name"},
		{"a block type", []tensorfile.Spec{{Name: "a", DType: dtype.Q4_0, Shape: []int{32}}}, `tensor "a": safetensors has no dtype Q4_0`},
		{"unknown dtype", []tensorfile.Spec{{Name: "a"}}, `tensor "a"`},
		{"negative dimension", []tensorfile.Spec{{Name: "a", DType: dtype.F32, Shape: []int{-1}}}, `tensor "a"`},
		{"twice", []tensorfile.Spec{{Name: "a", DType: dtype.F32}, {Name: "a", DType: dtype.F16}}, `tensor "a" is declared twice`},
		{"too large", []tensorfile.Spec{
			{Name: "a", DType: dtype.U8, Shape: []int{math.MaxInt}}, {Name: "b", DType: dtype.U8, Shape: []int{math.MaxInt}},
		}, "too large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			_, err := Create(filepath.Join(folder, "x"), tt.specs, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if entries, _ := os.ReadDir(folder); len(entries) > 0 {
				t.Errorf("%v is left", entries)
			}
		})
	}
}

func TestIncompleteFileIsNotCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := Create(path, []tensorfile.Spec{{Name: "a", DType: dtype.F32, Shape: []int{2}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := w.Tensor("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tensor.Write(make([]byte, 9)); err == nil || !strings.Contains(err.Error(), `tensor "a"`) {
		t.Errorf("9 bytes into 8: %v", err)
	}
	if err := tensor.WriteFloat32([]float32{1}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err == nil || !strings.Contains(err.Error(), `tensor "a": 4 of its 8 bytes`) {
		t.Errorf("Commit: %v", err)
	}
	if err := w.Commit(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("second Commit: %v", err)
	}
	if got := string(readFile(t, path)); got != "before" {
		t.Errorf("the old file is now %q", got)
	}
	if _, err := os.Stat(path + ".partial"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the partial file: %v", err)
	}
}

func TestWriteFloat32(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	const n = 70_000 // more than one piece
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i%512) / 4
	}
	var specs []tensorfile.Spec
	for _, d := range []dtype.DType{dtype.F32, dtype.F16, dtype.BF16, dtype.I32} {
		specs = append(specs, tensorfile.Spec{Name: d.String(), DType: d, Shape: []int{n}})
	}
	w, err := Create(path, specs, Options{Metadata: map[string]string{}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, tensor := range w.Tensors() {
		err := tensor.WriteFloat32(values)
		if tensor.Spec().DType == dtype.I32 {
			if err == nil {
				t.Error("float32 values were written as I32")
			}
			_, err = tensor.Write(make([]byte, 4*n))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Metadata() != nil {
		t.Errorf("metadata %v", f.Metadata())
	}
	const last = n/512*512 - 1 // 127.75 in the second piece; in BF16 it rounds to 128
	for name, want := range map[string][]byte{"F32": {0, 0x80, 0xff, 0x42}, "F16": {0xfc, 0x57}, "BF16": {0, 0x43}} {
		info, _ := f.Lookup(name)
		if got := info.Data[last*len(want):][:len(want)]; !bytes.Equal(got, want) {
			t.Errorf("%s: % x, want % x", name, got, want)
		}
	}
}

// TestPythonReadsWhatIsWritten gives a file of every dtype to the reference
// implementation.
func TestPythonReadsWhatIsWritten(t *testing.T) {
	python := os.Getenv("HONE_TEST_PYTHON")
	if python == "" {
		t.Skip("HONE_TEST_PYTHON names no interpreter with torch and safetensors")
	}
	folder := t.TempDir()
	var specs []tensorfile.Spec
	torch := map[string]string{"BOOL": "torch.bool", "U8": "torch.uint8", "I16": "torch.int16", "F16": "torch.float16", "BF16": "torch.bfloat16",
		"F32": "torch.float32", "F64": "torch.float64", "I64": "torch.int64", "F8_E4M3": "torch.float8_e4m3fn", "C64": "torch.complex64"}
	for name := range torch {
		d, _ := dtype.Parse(name)
		specs = append(specs, tensorfile.Spec{Name: "weights/é." + name, DType: d, Shape: []int{2, 1, 3}})
	}
	w, err := CreateSharded(folder, "model", specs, 100, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	data := map[string]string{}
	for _, s := range specs {
		n, _ := s.Bytes()
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = byte(i) & 1 // a bool is 0 or 1
		}
		data[s.Name] = hex.EncodeToString(raw)
		tensor, err := w.Tensor(s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tensor.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	files := w.Files()
	out, err := exec.CommandContext(t.Context(), python, append([]string{"testdata/check_safetensors.py"}, files[:len(files)-1]...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]struct {
		DType, Bytes, Format string
		Shape                []int
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(specs) {
		t.Errorf("%d tensors were read, want %d", len(found), len(specs))
	}
	for _, s := range specs {
		got := found[s.Name]
		if got.DType != torch[s.DType.String()] || got.Bytes != data[s.Name] || got.Format != "pt" || !slices.Equal(got.Shape, s.Shape) {
			t.Errorf("%s is %+v", s.Name, got)
		}
	}
}
