package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
)

func openGolden(t *testing.T) *File {
	t.Helper()
	f, err := Open("testdata/all.gguf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTensors(t *testing.T) {
	f := openGolden(t)
	if f.Version() != 3 || len(f.Tensors()) != 6 || len(f.Keys()) != 26 {
		t.Errorf("version %d, %d tensors, %d keys", f.Version(), len(f.Tensors()), len(f.Keys()))
	}
	for _, tt := range []struct {
		name  string
		dtype dtype.DType
		shape []int
		bytes int
	}{
		{"f32", dtype.F32, []int{2, 3}, 24},
		{"f16", dtype.F16, []int{3}, 6},
		{"bf16", dtype.BF16, []int{2, 4}, 16},
		{"i32", dtype.I32, []int{1, 2, 2, 1}, 16},
		{"q4_0", dtype.Q4_0, []int{3, 64}, 108},
		{"q6_k", dtype.Q6_K, []int{1, 256}, 210},
	} {
		info, ok := f.Lookup(tt.name)
		if !ok || info.DType != tt.dtype || !slices.Equal(info.Shape, tt.shape) || len(info.Data) != tt.bytes {
			t.Errorf("%s: %v of %v, %d bytes, %v", tt.name, info.Shape, info.DType, len(info.Data), ok)
		}
	}
	info, _ := f.Lookup("i32")
	if string(info.Data) != "\x00\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00" {
		t.Errorf("i32 is % x", info.Data)
	}
	if _, ok := f.Lookup("none"); ok {
		t.Error("a tensor that is not there is found")
	}
}

// tensor is a tensor's entry in a header made by build.
type tensor struct {
	name   string
	shape  []uint64 // in the file's order
	number uint32
	offset uint64
}

// build is a file with the given key-values, already encoded, and tensors.
func build(version uint32, keys int, keyValues []byte, data int, tensors ...tensor) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(magic), version)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(tensors)))
	b = binary.LittleEndian.AppendUint64(b, uint64(keys))
	b = append(b, keyValues...)
	for _, t := range tensors {
		b = appendString(b, t.name)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.shape)))
		for _, d := range t.shape {
			b = binary.LittleEndian.AppendUint64(b, d)
		}
		b = binary.LittleEndian.AppendUint32(b, t.number)
		b = binary.LittleEndian.AppendUint64(b, t.offset)
	}
	b = append(b, make([]byte, int(alignUp(uint64(len(b)), defaultAlignment))-len(b))...)
	return append(b, make([]byte, data)...)
}

// key is an encoded key-value whose value is raw.
func key(name string, t ValueType, raw ...byte) []byte {
	return append(binary.LittleEndian.AppendUint32(appendString(nil, name), uint32(t)), raw...)
}

// array is the raw value of an array that claims n elements.
func array(element ValueType, n uint64, raw ...byte) []byte {
	return append(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, uint32(element)), n), raw...)
}

func TestParse(t *testing.T) {
	f32 := func(name string, n, offset uint64) tensor { return tensor{name, []uint64{n}, 0, offset} }
	one := key("k", Uint8, 1)
	for _, tt := range []struct {
		name string
		file []byte
		err  string // "": accepted
	}{
		{"nothing in it", build(3, 0, nil, 0), ""},
		{"version 2", build(2, 1, one, 32, f32("a", 8, 0)), ""},
		{"no padding after the last tensor", build(3, 0, nil, 36, f32("a", 8, 0), f32("b", 1, 32)), ""},
		{"tensors in another order", build(3, 0, nil, 64, f32("a", 8, 32), f32("b", 8, 0)), ""},
		{"a gap between tensors", build(3, 0, nil, 96, f32("a", 8, 0), f32("b", 8, 64)), ""},
		{"an empty tensor", build(3, 0, nil, 32, f32("a", 0, 0), f32("b", 8, 0)), ""},
		{"a scalar", build(3, 0, nil, 4, tensor{"a", nil, 0, 0}), ""},
		{"unknown tensor type", build(3, 0, nil, 64, tensor{"a", []uint64{3}, 31, 0}, f32("b", 8, 32)), ""},
		{"empty strings", build(3, 1, key("", String, make([]byte, 8)...), 0), ""},

		{"empty file", nil, "at byte 0: 4 bytes are needed and 0 are left"},
		{"something else", []byte("PK\x03\x04 and so on"), `no GGUF file: it starts with "PK\x03\x04"`},
		{"version 1", build(1, 0, nil, 0), "version 1 of the format is not supported"},
		{"version 4", build(4, 0, nil, 0), "version 4"},
		{"big-endian", build(3<<24, 0, nil, 0), "big-endian"},
		{"cut in the counts", build(3, 0, nil, 0)[:20], "cut short"},
		{"2^60 keys", build(3, 1<<60, one, 0), "1152921504606846976 keys cannot be in"},
		{"one key too many", build(3, 2, one, 0)[:24+len(one)], "2 keys cannot be in the 14 bytes"},
		{"cut in a key", build(3, 2, key("k", String, append([]byte{9}, make([]byte, 16)...)...), 0)[:24+36], "key 2 of 2: at byte"},
		{"key longer than the file", build(3, 1, binary.LittleEndian.AppendUint64(nil, 1<<40), 50), "key 1 of 1: at byte 32: 1099511627776 bytes"},
		{"key of 2^64-1 bytes", build(3, 1, binary.LittleEndian.AppendUint64(nil, 1<<64-1), 50), "key 1 of 1"},
		{"key that is not UTF-8", build(3, 1, key("\xff", Uint8, 1), 0), "not valid UTF-8"},
		{"duplicate key", build(3, 2, slices.Concat(one, one), 0), `key "k" stands twice`},
		{"unknown value type", build(3, 1, key("k", 13, 1), 0), `key "k": a value of type 13`},
		{"array of arrays", build(3, 1, key("k", Array, array(Array, 1, array(Uint8, 1, 1)...)...), 0), "an array of ARRAY"},
		{"array of an unknown type", build(3, 1, key("k", Array, array(77, 1, 1)...), 0), "an array of type 77"},
		{"array of 2^60 elements", build(3, 1, key("k", Array, array(Float64, 1<<60, 1)...), 0), `key "k": 1152921504606846976 elements`},
		{"array of 2^61 elements, 2^64 bytes", build(3, 1, key("k", Array, array(Float64, 1<<61, 1)...), 0), `key "k": 2305843009213693952 elements`},
		{"2^60 strings", build(3, 1, key("k", Array, array(String, 1<<60, 1)...), 0), `key "k": 1152921504606846976 elements`},
		{"string in an array beyond the file", build(3, 1, key("k", Array, array(String, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)...), 0), `key "k": at byte`},
		{"string beyond the file", build(3, 1, key("k", String, 0xff, 0, 0, 0, 0, 0, 0, 0), 0), `key "k": at byte`},
		{"alignment of another type", build(3, 1, key(alignmentKey, Uint16, 32, 0), 0), `key "general.alignment" is of UINT16`},
		{"alignment 0", build(3, 1, key(alignmentKey, Uint32, 0, 0, 0, 0), 0), "no power of two"},
		{"alignment 48", build(3, 1, key(alignmentKey, Uint32, 48, 0, 0, 0), 0), "no power of two"},
		{"more tensors than fit", build(3, 0, nil, 0, f32("a", 8, 0))[:24], "cannot be in"},
		{"duplicate tensor", build(3, 0, nil, 64, f32("a", 8, 0), f32("a", 8, 32)), `tensor "a" stands twice`},
		{"five dimensions", build(3, 0, nil, 32, tensor{"a", []uint64{1, 1, 1, 1, 1}, 0, 0}), `"a" has 5 dimensions`},
		{"dimension of 2^63", build(3, 0, nil, 32, f32("a", 1<<63, 0)), `"a" has a dimension of 9223372036854775808`},
		{"2^80 elements", build(3, 0, nil, 32, tensor{"a", []uint64{1 << 40, 1 << 40}, 0, 0}), "too many elements"},
		{"2^62 elements of four bytes", build(3, 0, nil, 32, tensor{"a", []uint64{1 << 31, 1 << 31}, 0, 0}), "too large"},
		{"2^80 elements of an unknown type", build(3, 0, nil, 32, tensor{"a", []uint64{1 << 40, 1 << 40}, 99, 0}), "too many elements"},
		{"part of a block", build(3, 0, nil, 64, tensor{"a", []uint64{33, 2}, 2, 0}), `tensor "a": rows of 33 elements do not fill Q4_0 blocks`},
		{"offset not aligned", build(3, 0, nil, 64, f32("a", 4, 16)), `tensor "a": offset 16 is not aligned`},
		{"data cut short", build(3, 0, nil, 31, f32("a", 8, 0)), `tensor "a": [8] of F32 at offset 0 reach beyond the file`},
		{"offset beyond the file", build(3, 0, nil, 32, f32("a", 8, 64)), "beyond the file"},
		{"offset of 2^63", build(3, 0, nil, 32, f32("a", 8, 1<<63)), "beyond the file"},
		{"unknown type beyond the file", build(3, 0, nil, 32, tensor{"a", []uint64{3}, 99, 64}), "beyond the file"},
		{"overlap", build(3, 0, nil, 128, f32("a", 9, 0), f32("b", 8, 32)), `tensor "a": 36 bytes at offset 0 overlap tensor "b"`},
		{"same place", build(3, 0, nil, 128, f32("a", 8, 0), f32("b", 8, 0)), "overlap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("test.gguf", tt.file)
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.err != "" && err == nil:
				t.Errorf("accepted: %v, %+v", f.Keys(), f.Tensors())
			case tt.err != "" && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "test.gguf")):
				t.Errorf("error %q, want the file's name and %q", err, tt.err)
			}
		})
	}
}

// TestCountsAllocateNothing gives headers that claim 2^60 of everything: what is
// allocated must be in proportion to the file.
func TestCountsAllocateNothing(t *testing.T) {
	files := [][]byte{
		build(3, 1<<60, nil, 1000),
		build(3, 1, key("k", Array, array(String, 1<<60)...), 1000),
		build(3, 1, key("k", Array, array(Uint8, 1<<60)...), 1000),
		build(3, 0, nil, 1000, tensor{"a", []uint64{1 << 60}, 24, 0}),
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, file := range files {
		if _, err := Parse("test", file); err == nil {
			t.Error("accepted")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestUnknownTensorType(t *testing.T) {
	f, err := Parse("f", build(3, 0, nil, 100, tensor{"a", []uint64{3}, 31, 0}, tensor{"b", []uint64{8}, 0, 64}, tensor{"c", []uint64{2}, 1000, 96}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		typeName string
		bytes    int
	}{"a": {"Q4_0_4_4, which ggml has removed", 64}, "c": {"ggml type 1000", 4}} {
		info, _ := f.Lookup(name)
		if info.DType != dtype.Unknown || info.TypeName != want.typeName || len(info.Data) != want.bytes {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

func TestOpenSplits(t *testing.T) {
	for _, path := range []string{"testdata/split-00001-of-00003.gguf", "testdata/split-00003-of-00003.gguf"} {
		files, err := OpenSplits(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range files {
			defer f.Close()
			for _, info := range f.Tensors() {
				names = append(names, info.Name)
			}
		}
		if !slices.Equal(names, []string{"t0", "t1", "t2", "t3", "t4"}) {
			t.Errorf("%s: tensors %v", path, names)
		}
		if n, err := files[0].Uint("llama.block_count"); err != nil || n != 2 {
			t.Errorf("%s: %d, %v", path, n, err)
		}
	}
	files, err := OpenSplits("testdata/all.gguf")
	if err != nil || len(files) != 1 {
		t.Fatalf("a whole file: %d files, %v", len(files), err)
	}
	files[0].Close()
}

func TestOpenSplitsRefuses(t *testing.T) {
	split := func(number, count, total byte, name string) string {
		keys := slices.Concat(key(splitNumberKey, Uint16, number, 0), key(splitCountKey, Uint16, count, 0), key(splitTensorsKey, Int32, total, 0, 0, 0))
		return string(build(3, 3, keys, 4, tensor{name, []uint64{1}, 0, 0}))
	}
	for _, tt := range []struct {
		name  string
		open  string
		files map[string]string
		err   string
	}{
		{"another name", "x.gguf", map[string]string{"x.gguf": split(0, 2, 2, "a")}, "-00001-of-00002.gguf"},
		{"name and key disagree", "x-00001-of-00003.gguf", map[string]string{"x-00001-of-00003.gguf": split(0, 2, 2, "a")}, "2 splits"},
		{"number 0", "x-00000-of-00002.gguf", map[string]string{"x-00000-of-00002.gguf": split(0, 2, 2, "a")}, "split 00000"},
		{"one is missing", "x-00001-of-00002.gguf", map[string]string{"x-00001-of-00002.gguf": split(0, 2, 2, "a")}, "split 2 of 2"},
		{"order", "x-00001-of-00002.gguf", map[string]string{
			"x-00001-of-00002.gguf": split(1, 2, 2, "a"), "x-00002-of-00002.gguf": split(0, 2, 2, "b")}, "split 1 of 2"},
		{"tensor twice", "x-00001-of-00002.gguf", map[string]string{
			"x-00001-of-00002.gguf": split(0, 2, 2, "a"), "x-00002-of-00002.gguf": split(1, 2, 2, "a")}, `tensor "a" stands in`},
		{"tensor missing", "x-00002-of-00002.gguf", map[string]string{
			"x-00001-of-00002.gguf": split(0, 2, 3, "a"), "x-00002-of-00002.gguf": split(1, 2, 3, "b")}, "hold 2 tensors"},
		{"one of another model", "x-00001-of-00002.gguf", map[string]string{
			"x-00001-of-00002.gguf": split(0, 2, 2, "a"), "x-00002-of-00002.gguf": string(build(3, 0, nil, 0))}, "x-00002-of-00002.gguf"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, data := range tt.files {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			files, err := OpenSplits(filepath.Join(folder, tt.open))
			if err == nil || files != nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d files, error %v, want %q", len(files), err, tt.err)
			}
		})
	}
}

func TestClose(t *testing.T) {
	f := openGolden(t)
	if err := errors.Join(f.Unchanged(), f.Close()); err != nil {
		t.Error(err)
	}
	if _, err := f.String("one.STRING"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a key after Close: %v", err)
	}
	if err := f.Guard(func() error { return nil }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Guard after Close: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	if golden, err := os.ReadFile("testdata/all.gguf"); err == nil {
		f.Add(golden)
	}
	f.Add(build(2, 1, key("k", Array, array(String, 1, 1, 0, 0, 0, 0, 0, 0, 0, 'x')...), 36, tensor{"a", []uint64{3}, 99, 0}, tensor{"b", []uint64{1}, 0, 32}))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		for _, k := range file.Keys() {
			v, err := file.Value(k)
			if err != nil {
				t.Errorf("key %q: %v", k, err)
			}
			if kind, _, length, _ := file.Type(k); kind == Array && reflect.ValueOf(v).Len() != length {
				t.Errorf("key %q has %d elements, want %d", k, reflect.ValueOf(v).Len(), length)
			}
		}
		for _, info := range file.Tensors() {
			if n, err := info.DType.Bytes(info.Shape); info.DType.Known() && (err != nil || n != len(info.Data)) {
				t.Errorf("%q of %v has %d bytes, %v", info.Name, info.Shape, len(info.Data), err)
			}
			if len(info.Data) > 0 && !bytes.Contains(data, info.Data[:1]) {
				t.Errorf("%q is not in the file", info.Name)
			}
		}
	})
}
