package safetensors

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/weights/dtype"
)

// file is a file with that header and that many bytes of data.
func file(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range data {
		b = append(b, byte(i))
	}
	return b
}

func TestOpenReferenceFile(t *testing.T) {
	f, err := Open("testdata/dtypes.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Metadata()["format"] != "pt" || len(f.Metadata()) != 1 {
		t.Errorf("metadata %v", f.Metadata())
	}
	if n := len(f.Tensors()); n != 22 {
		t.Errorf("%d tensors, want 22", n)
	}
	for _, tt := range []struct {
		name  string
		dtype dtype.DType
		shape []int
		data  string
	}{
		{"bool", dtype.Bool, []int{2, 3}, "\x00\x01\x00\x01\x00\x01"},
		{"int8", dtype.I8, []int{2, 3}, "\x00\x01\x02\x03\x04\x05"},
		{"bfloat16", dtype.BF16, []int{2, 3}, "\x00\x00\x80\x3f\x00\x40\x40\x40\x80\x40\xa0\x40"},
		{"float8_e8m0fnu", dtype.F8E8M0, []int{2, 3}, "\x78\x79\x7a\x7b\x7c\x7d"},
		{"scalar", dtype.F32, []int{}, "\x00\x00\x20\x40"},
		{"empty", dtype.F16, []int{3, 0}, ""},
		{"q\"uote\\back/slash <&> é漢 \t", dtype.I32, []int{1}, "\x07\x00\x00\x00"},
	} {
		info, ok := f.Lookup(tt.name)
		if !ok {
			t.Errorf("%q is not found", tt.name)
			continue
		}
		if info.DType != tt.dtype || info.TypeName != tt.dtype.String() || !slices.Equal(info.Shape, tt.shape) || string(info.Data) != tt.data {
			t.Errorf("%q is %+v", tt.name, info)
		}
	}
	if _, ok := f.Lookup("none"); ok {
		t.Error("a tensor that is not there is found")
	}
}

func TestParse(t *testing.T) {
	const a8 = `"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}`
	for _, tt := range []struct {
		name string
		file []byte
		err  string // "": accepted
	}{
		{"no tensors", file(`{}`, 0), ""},
		{"one", file(`{`+a8+`}`, 8), ""},
		{"padded with spaces", file(`{`+a8+"}    ", 8), ""},
		{"members in another order", file(`{"a":{"data_offsets":[0,8],"shape":[2],"dtype":"F32"}}`, 8), ""},
		{"unknown members are passed over", file(`{"a":{"x":[{}],"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), ""},
		{"unknown dtype", file(`{"a":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}}`, 8), ""},
		{"a ggml type is no dtype", file(`{"a":{"dtype":"Q4_0","shape":[2],"data_offsets":[0,8]}}`, 8), ""},
		{"empty tensors", file(`{"e":{"dtype":"F32","shape":[0,9],"data_offsets":[8,8]},`+a8+`,"b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}`, 8), ""},
		{"half bytes", file(`{"a":{"dtype":"F4","shape":[2,2],"data_offsets":[0,2]}}`, 2), ""},

		{"empty file", nil, "0 bytes"},
		{"cut in the length", []byte{1, 0, 0}, "3 bytes"},
		{"cut in the header", file(`{`+a8+`}`, 0)[:20], "cut short"},
		{"no header", file(``, 0), "does not start with {"},
		{"white space first", file(` {}`, 0), "does not start with {"},
		{"header of 2^63 bytes", binary.LittleEndian.AppendUint64(nil, 1<<63), "no safetensors file"},
		{"header one byte too large", binary.LittleEndian.AppendUint64(nil, maxHeader+1), "no safetensors file"},
		{"something else", []byte("GGUF\x03\x00\x00\x00\x01\x00\x00\x00"), "no safetensors file"},
		{"not JSON", file(`{nonsense`, 0), "header: "},
		{"invalid UTF-8", file("{\"\xff\":{}}", 0), "UTF-8"},
		{"more after the header", file(`{}{}`, 0), "nothing more"},
		{"null", file(`{"a":null}`, 0), `tensor "a"`},
		{"duplicate tensor", file(`{`+a8+`,`+a8+`}`, 8), `key "a" stands twice`},
		{"duplicate member", file(`{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8), `key "dtype" stands twice`},
		{"duplicate metadata", file(`{"__metadata__":{"k":"1","k":"2"}}`, 0), `key "k" stands twice`},
		{"metadata that is no string", file(`{"__metadata__":{"k":1}}`, 0), "__metadata__"},
		{"no shape", file(`{"a":{"dtype":"F32","data_offsets":[0,8]}}`, 8), "missing"},
		{"three offsets", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}`, 8), "3 numbers"},
		{"negative dimension", file(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8), `tensor "a": shape: -2`},
		{"huge dimensions", file(`{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}`, 8), "too many elements"},
		{"huge dimensions of an unknown dtype", file(`{"a":{"dtype":"F7","shape":[4611686018427387904,4],"data_offsets":[0,8]}}`, 8), "too many elements"},
		{"shape and offsets disagree", file(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8), `tensor "a": shape [3] of F32 takes 12 bytes, data_offsets [0 8] hold 8`},
		{"half a byte over", file(`{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}`, 2), "whole bytes"},
		{"backward offsets", file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}`, 8), "end before they begin"},
		{"data cut short", file(`{`+a8+`}`, 7), "cut short"},
		{"data left over", file(`{`+a8+`}`, 9), "1 bytes after the last tensor"},
		{"data without tensors", file(`{}`, 1), "1 bytes after"},
		{"hole", file(`{`+a8+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}`, 10), `tensor "b": data_offsets [9 10] leave a gap`},
		{"hole at the start", file(`{"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2), `tensor "b": data_offsets [1 2] leave a gap`},
		{"overlap", file(`{`+a8+`,"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}`, 8), `tensor "b": data_offsets [4 8] overlap`},
		{"same place", file(`{`+a8+`,"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}`, 8), "overlap"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := Parse("test.safetensors", tt.file)
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.err != "" && err == nil:
				t.Errorf("accepted: %+v", f.Tensors())
			case tt.err != "" && (!strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "test.safetensors")):
				t.Errorf("error %q, want the file's name and %q", err, tt.err)
			}
		})
	}
}

func TestUnknownDTypeKeepsItsName(t *testing.T) {
	f, err := Parse("f", file(`{"a":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}}`, 8))
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Lookup("a")
	if info.DType != dtype.Unknown || info.TypeName != "F7" || len(info.Data) != 8 {
		t.Errorf("%+v", info)
	}
}

func TestClose(t *testing.T) {
	f, err := Open("testdata/dtypes.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Unchanged(), f.Close()); err != nil {
		t.Error(err)
	}
	if err := f.Guard(func() error { return nil }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Guard after Close: %v", err)
	}
}

func TestOpenIndex(t *testing.T) {
	files, err := OpenIndex("testdata/sharded/model.safetensors.index.json")
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
	if len(files) != 4 || len(names) != 6 {
		t.Errorf("%d files with %v", len(files), names)
	}
}

func TestOpenIndexRefuses(t *testing.T) {
	one := string(file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1))
	for _, tt := range []struct {
		name  string
		files map[string]string
		err   []string
	}{
		{"not JSON", map[string]string{"index.json": "["}, []string{"index.json"}},
		{"no weight_map", map[string]string{"index.json": `{"metadata":{}}`}, []string{"index.json", "weight_map"}},
		{"tensor twice", map[string]string{"index.json": `{"weight_map":{"a":"1.st","a":"1.st"}}`}, []string{`"a" stands twice`}},
		{"outside the folder", map[string]string{"index.json": `{"weight_map":{"a":"../1.st"}}`}, []string{`tensor "a"`, `"../1.st"`}},
		{"absolute path", map[string]string{"index.json": `{"weight_map":{"a":"/etc/passwd"}}`}, []string{`"/etc/passwd"`}},
		{"no string", map[string]string{"index.json": `{"weight_map":{"a":1}}`}, []string{`tensor "a"`}},
		{"shard missing", map[string]string{"index.json": `{"weight_map":{"a":"1.st"}}`}, []string{"1.st", "index.json"}},
		{"shard broken", map[string]string{"index.json": `{"weight_map":{"a":"1.st"}}`, "1.st": "x"}, []string{"1.st", "too few"}},
		{"tensor elsewhere", map[string]string{"index.json": `{"weight_map":{"b":"1.st"}}`, "1.st": one}, []string{`tensor "b" is not in`, "1.st"}},
		{"tensor in two shards", map[string]string{"index.json": `{"weight_map":{"a":"1.st","b":"2.st"}}`,
			"1.st": one, "2.st": string(file(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2))},
			[]string{`tensor "a" stands in`, "1.st", "2.st"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			folder := t.TempDir()
			for name, text := range tt.files {
				if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			files, err := OpenIndex(filepath.Join(folder, "index.json"))
			if err == nil || files != nil {
				t.Fatalf("accepted, %d files", len(files))
			}
			for _, want := range tt.err {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	if golden, err := os.ReadFile("testdata/dtypes.safetensors"); err == nil {
		f.Add(golden)
	}
	f.Add(file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8))
	f.Add(file(`{"a":{"dtype":"F4","shape":[4611686018427387904,4],"data_offsets":[0,8]},"__metadata__":{"k":"v"}}`, 8))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err != nil {
			return
		}
		total := 8 + int(binary.LittleEndian.Uint64(data))
		for _, info := range file.Tensors() {
			if n, err := dtype.Elements(info.Shape); err != nil || n < 0 || n > math.MaxInt {
				t.Errorf("%q has shape %v", info.Name, info.Shape)
			}
			if n, err := info.DType.Bytes(info.Shape); info.DType.Known() && (err != nil || n != len(info.Data)) {
				t.Errorf("%q of %v has %d bytes, %v", info.Name, info.Shape, len(info.Data), err)
			}
			total += len(info.Data)
		}
		if total != len(data) {
			t.Errorf("%d of %d bytes are accounted for", total, len(data))
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":1},"weight_map":{"a":"model-00001-of-00002.safetensors"}}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		files, err := ParseIndex(text)
		for tensor, name := range files {
			if err == nil && (!filepath.IsLocal(name) || filepath.IsAbs(name)) {
				t.Errorf("tensor %q is in %q", tensor, name)
			}
		}
	})
}
