package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/gguf"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/quant"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// open opens paths and closes them when the test ends.
func open(t testing.TB, paths ...string) *Checkpoint {
	t.Helper()
	c, err := Open(paths...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// write makes a safetensors file at path, with fill giving each tensor's bytes.
func write(t testing.TB, path string, specs []tensorfile.Spec, fill func(s tensorfile.Spec, data []byte)) {
	t.Helper()
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, w, fill)
}

// writeGGUF is write for a GGUF file.
func writeGGUF(t testing.TB, path string, keyValues []gguf.KeyValue, specs []tensorfile.Spec, fill func(s tensorfile.Spec, data []byte)) {
	t.Helper()
	w, err := gguf.Create(path, keyValues, specs, tensorfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, w, fill)
}

func finish(t testing.TB, w *tensorfile.Writer, fill func(s tensorfile.Spec, data []byte)) {
	t.Helper()
	defer w.Close()
	for _, tensor := range w.Tensors() {
		n, err := tensor.Spec().Bytes()
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, n)
		fill(tensor.Spec(), data)
		if _, err := tensor.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// random fills data with bytes that are no infinities nor NaN in any type.
func random(seed uint64) func(s tensorfile.Spec, data []byte) {
	r := rand.New(rand.NewPCG(seed, 0))
	return func(_ tensorfile.Spec, data []byte) {
		for i := range data {
			data[i] = byte(r.Uint32()) & 0xb7
		}
	}
}

// TestFloat32OfEveryPlainType reads the file that torch wrote: every tensor in it
// is 0, 1, … 5 in another type, but for those named.
func TestFloat32OfEveryPlainType(t *testing.T) {
	c := open(t, "safetensors/testdata/dtypes.safetensors")
	want := map[string][]float32{
		"bool":                          {0, 1, 0, 1, 0, 1},
		"float8_e8m0fnu":                {0x1p-7, 0x1p-6, 0x1p-5, 0x1p-4, 0x1p-3, 0x1p-2},
		"scalar":                        {2.5},
		"empty":                         {},
		"q\"uote\\back/slash <&> é漢 \t": {7},
	}
	for tensor := range c.Tensors() {
		values := want[tensor.Name]
		if values == nil {
			values = []float32{0, 1, 2, 3, 4, 5}
		}
		got := make([]float32, len(values))
		err := tensor.Float32(got, 0)
		if tensor.DType == dtype.C64 {
			if err == nil || !strings.Contains(err.Error(), `tensor "complex64"`) || !strings.Contains(err.Error(), "C64") {
				t.Errorf("complex numbers: %v", err)
			}
			continue
		}
		if err != nil || !slices.Equal(got, values) {
			t.Errorf("%s is %v, %v; want %v", tensor.Name, got, err, values)
		}
		if len(values) == 6 {
			if err := tensor.Float32(got[:2], 3); err != nil || !slices.Equal(got[:2], values[3:5]) {
				t.Errorf("%s from 3 on is %v, %v; want %v", tensor.Name, got[:2], err, values[3:5])
			}
		}
	}
}

func TestFloat32OfExtremeNumbers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	data := map[dtype.DType]string{
		dtype.I8: "\x80", dtype.I16: "\x00\x80", dtype.I32: "\x00\x00\x00\x80", dtype.I64: "\x00\x00\x00\x00\x00\x00\x00\x80",
		dtype.U8: "\xff", dtype.U16: "\xff\xff", dtype.U32: "\xff\xff\xff\xff", dtype.U64: "\xff\xff\xff\xff\xff\xff\xff\xff",
		dtype.F64: "\x00\x00\x00\x00\x00\x00\xf0\x7f",
	}
	want := map[dtype.DType]float32{
		dtype.I8: -128, dtype.I16: -32768, dtype.I32: -0x1p31, dtype.I64: -0x1p63,
		dtype.U8: 255, dtype.U16: 65535, dtype.U32: 0x1p32, dtype.U64: 0x1p64, // rounded to nearest
		dtype.F64: float32(math.Inf(1)),
	}
	var specs []tensorfile.Spec
	for d := range data {
		specs = append(specs, tensorfile.Spec{Name: d.String(), DType: d})
	}
	write(t, path, specs, func(s tensorfile.Spec, b []byte) { copy(b, data[s.DType]) })
	for tensor := range open(t, path).Tensors() {
		got := make([]float32, 1)
		if err := tensor.Float32(got, 0); err != nil || got[0] != want[tensor.DType] {
			t.Errorf("%s is %v, %v; want %v", tensor.Name, got[0], err, want[tensor.DType])
		}
	}
}

// TestFloat32OfPartsOfBlocks reads ranges that begin and end anywhere.
func TestFloat32OfPartsOfBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	var specs []tensorfile.Spec
	for _, d := range []dtype.DType{dtype.F32, dtype.F16, dtype.BF16, dtype.Q4_0, dtype.Q4_1, dtype.Q5_0, dtype.Q5_1, dtype.Q8_0, dtype.Q4_K, dtype.Q5_K, dtype.Q6_K} {
		specs = append(specs, tensorfile.Spec{Name: d.String(), DType: d, Shape: []int{4, 256}})
	}
	writeGGUF(t, path, nil, specs, random(1))
	for tensor := range open(t, path).Tensors() {
		t.Run(tensor.Name, func(t *testing.T) {
			whole := make([]float32, 1024)
			if err := tensor.Float32(whole, 0); err != nil {
				t.Fatal(err)
			}
			if tensor.DType.Quantized() {
				direct := make([]float32, 1024)
				if err := quant.Dequantize(direct, tensor.DType, tensor.Data); err != nil || !slices.Equal(direct, whole) {
					t.Errorf("all values differ from those of package quant, %v", err)
				}
			}
			for _, offset := range []int{0, 1, 31, 32, 33, 255, 256, 300, 512, 1000, 1023, 1024} {
				for _, n := range []int{0, 1, 2, 31, 32, 33, 64, 255, 256, 257, 500, 512, 700, 1024} {
					dst := make([]float32, n)
					err := tensor.Float32(dst, offset)
					if offset+n > 1024 {
						if err == nil {
							t.Errorf("%d elements from %d on were read", n, offset)
						}
						continue
					}
					if err != nil || !slices.Equal(dst, whole[offset:offset+n]) {
						t.Errorf("%d elements from %d on are wrong, %v", n, offset, err)
					}
				}
			}
			if err := tensor.Float32(make([]float32, 1), -1); err == nil {
				t.Error("element -1 was read")
			}
			if err := tensor.Float32(make([]float32, 1), math.MaxInt); err == nil {
				t.Error("the last element there can be was read")
			}
		})
	}
}

func TestUnreadableTypesAreNamed(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "x.gguf")
	writeGGUF(t, path, nil, []tensorfile.Spec{
		{Name: "lattice", DType: dtype.IQ2_S, Shape: []int{256}},
		{Name: "fine", DType: dtype.F32, Shape: []int{1}},
	}, random(1))
	// The number of the first tensor's type becomes one that ggml has removed.
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	removed := filepath.Join(folder, "removed.gguf")
	at := strings.Index(string(data), "lattice") + len("lattice") + 4 + 8
	data[at] = 31
	if err := os.WriteFile(removed, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, typeName := range map[string]string{path: "IQ2_S", removed: "Q4_0_4_4"} {
		c := open(t, path)
		tensor, ok := c.Lookup("lattice")
		if !ok {
			t.Fatal("the tensor is not listed")
		}
		err := tensor.Float32(make([]float32, 1), 0)
		for _, want := range []string{`"lattice"`, typeName, path} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v lacks %q", err, want)
			}
		}
		if tensor, _ := c.Lookup("fine"); tensor.Float32(make([]float32, 1), 0) != nil {
			t.Error("the other tensor cannot be read")
		}
	}
}

func TestViewGivesTheBytes(t *testing.T) {
	c := open(t, "safetensors/testdata/dtypes.safetensors")
	tensor, _ := c.Lookup("int8")
	mine := errors.New("mine")
	err := tensor.View(func(data []byte) error {
		if string(data) != "\x00\x01\x02\x03\x04\x05" {
			t.Errorf("% x", data)
		}
		return mine
	})
	if !errors.Is(err, mine) {
		t.Errorf("error %v", err)
	}
}

func TestClosedCheckpoint(t *testing.T) {
	c := open(t, "safetensors/testdata/dtypes.safetensors")
	tensor, _ := c.Lookup("float32")
	if err := errors.Join(c.Unchanged(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := tensor.Float32(make([]float32, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
	if err := c.Unchanged(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Unchanged after Close: %v", err)
	}
}

// TestTruncatedFile cuts a file short after it was opened.
func TestTruncatedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	write(t, path, []tensorfile.Spec{{Name: "w", DType: dtype.F16, Shape: []int{1 << 20}}}, random(1))
	c := open(t, path)
	tensor, _ := c.Lookup("w")
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	err := tensor.Float32(make([]float32, 1<<20), 0)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `tensor "w"`) {
		t.Errorf("reading what is gone: %v", err)
	}
	if err := c.Unchanged(); err == nil {
		t.Error("the change goes unnoticed")
	}
}

func TestParallelReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	writeGGUF(t, path, nil, []tensorfile.Spec{{Name: "w", DType: dtype.Q6_K, Shape: []int{64, 256}}}, random(2))
	tensor, _ := open(t, path).Lookup("w")
	whole := make([]float32, 64*256)
	if err := tensor.Float32(whole, 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			row := make([]float32, 256)
			for j := range 64 {
				r := (i*8 + j) % 64
				if err := tensor.Float32(row, r*256); err != nil || !slices.Equal(row, whole[r*256:][:256]) {
					t.Errorf("row %d is wrong, %v", r, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestSmolLM2 holds every tensor of a real model to what the Python package gguf
// gives; testdata/gen_smollm2.py made the sums.
func TestSmolLM2(t *testing.T) {
	path := os.Getenv("HONE_TEST_SMOLLM2")
	if path == "" {
		t.Skip("HONE_TEST_SMOLLM2 names no SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	golden, err := os.ReadFile("testdata/smollm2.txt")
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, path)
	var lines []string
	for tensor := range c.Tensors() {
		values := make([]float32, tensor.Elements())
		if err := tensor.Float32(values, 0); err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 4*len(values))
		halffloat.EncodeFloat32(data, values)
		sum := sha256.Sum256(data)
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(tensor.Shape), "[]"), " ", "x")
		lines = append(lines, fmt.Sprintf("%s %s %s\n", tensor.Name, shape, hex.EncodeToString(sum[:8])))
	}
	if got := strings.Join(lines, ""); got != string(golden) {
		t.Errorf("the tensors differ from testdata/smollm2.txt:\n%s", got)
	}
	if name, err := c.GGUF().String("general.architecture"); name != "llama" || err != nil {
		t.Errorf("architecture %q, %v", name, err)
	}
}

func BenchmarkFloat32(b *testing.B) {
	const n = 1 << 20
	path := filepath.Join(b.TempDir(), "x.gguf")
	var specs []tensorfile.Spec
	for _, d := range []dtype.DType{dtype.F32, dtype.F16, dtype.BF16, dtype.Q4_0, dtype.Q8_0, dtype.Q4_K, dtype.Q6_K} {
		specs = append(specs, tensorfile.Spec{Name: d.String(), DType: d, Shape: []int{n / 1024, 1024}})
	}
	writeGGUF(b, path, nil, specs, random(1))
	dst := make([]float32, n)
	for tensor := range open(b, path).Tensors() {
		b.Run(tensor.Name, func(b *testing.B) {
			b.SetBytes(4 * n) // float32 bytes
			for b.Loop() {
				if err := tensor.Float32(dst, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
