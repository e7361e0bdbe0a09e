package cubin

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// golden reads what testdata/gen_cubins.py compiled.
func golden(t testing.TB, name string) (*File, Log) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name+".cubin"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join("testdata", name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return f, ParseLog(string(log))
}

// mapAt is where the parameter that is aligned to 64 bytes lies: what the compiler
// aligns is its place in the constant bank, which begins elsewhere on each.
var files = []struct {
	name  string
	arch  int
	mapAt int
}{{"cuda12.8.sm_90a", 90, 48}, {"cuda13.2.sm_80", 80, 32}, {"cuda13.2.sm_120", 120, 64}}

func TestParse(t *testing.T) {
	for _, tt := range files {
		t.Run(tt.name, func(t *testing.T) {
			f, log := golden(t, tt.name)
			if f.Arch != tt.arch {
				t.Errorf("architecture %d, want %d", f.Arch, tt.arch)
			}
			want := []Kernel{ // registers and frames are compared with the log
				{Name: "_Z5scaleILi3EEvPf", Parameters: []Parameter{{0, 8}}},
				{Name: "nothing"},
				{Name: "saxpy", MaxThreads: 256, Parameters: []Parameter{{0, 8}, {8, 8}, {16, 4}, {20, 4}, {24, 2}}},
				{Name: "spills", Parameters: []Parameter{{0, 8}, {8, 8}}},
				{Name: "tile", SharedBytes: 256, Parameters: []Parameter{{0, 8}, {tt.mapAt, 128}, {tt.mapAt + 128, 4}}},
			}
			text, err := os.ReadFile(filepath.Join("testdata", tt.name+".log"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				want[i].Registers, want[i].LocalBytes = ptxas(t, string(text), want[i].Name)
			}
			if !reflect.DeepEqual(f.Kernels, want) {
				t.Errorf("got\n%+v\nwant\n%+v", f.Kernels, want)
			}
			if s := log.Spills["spills"]; s.Stores == 0 || s.Loads == 0 || log.Spills["saxpy"] != (Spill{}) || len(log.Spills) != len(want) {
				t.Errorf("spills %+v", log.Spills)
			}
			if k, ok := f.Kernel("saxpy"); !ok || k.Name != "saxpy" {
				t.Errorf("got %+v, %v", k, ok)
			}
			if _, ok := f.Kernel("absent"); ok {
				t.Error("found a kernel that is not there")
			}
		})
	}
}

// ptxas is what the log says of a kernel, read in another way than ParseLog's.
func ptxas(t *testing.T, log, kernel string) (registers, frame int) {
	t.Helper()
	_, after, ok := strings.Cut(log, "Function properties for "+kernel+"\n")
	if !ok {
		t.Fatalf("the log does not tell of %s", kernel)
	}
	words := strings.Fields(after)
	number := func(before ...string) int {
		for i := range words {
			if i+len(before) < len(words) && slices.Equal(words[i+1:i+1+len(before)], before) {
				n := 0
				for _, c := range words[i] {
					n = 10*n + int(c-'0')
				}
				return n
			}
		}
		t.Fatalf("no %v", before)
		return 0
	}
	return number("registers,"), number("bytes", "stack", "frame,")
}

func TestParseErrors(t *testing.T) {
	good, err := os.ReadFile("testdata/cuda13.2.sm_80.cubin")
	if err != nil {
		t.Fatal(err)
	}
	other := slices.Clone(good)
	other[18] = 62 // x86-64
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "reading a cubin"},
		{"text", []byte(".version 8.0"), "reading a cubin"},
		{"a header alone", good[:64], "reading a cubin"},
		{"half", good[:len(good)/2], "reading a cubin"},
		{"another machine", other, "EM_X86_64, not for a GPU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if f, err := Parse(tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join("testdata", file.name+".cubin"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for _, k := range file.Kernels {
			if len(k.Parameters) > maxParameters {
				t.Errorf("%d parameters", len(k.Parameters))
			}
		}
	})
}

func TestParseLog(t *testing.T) {
	log := ParseLog(strings.Join([]string{
		`k.cu(3): warning #177-D: unused x`,
		`ptxas info    : (C7510) serialised, in function 'gemm'`,
		`ptxas info    : (C7519) warpgroup.arrive is injected in around line 2436 by compiler to allow use of registers in GMMA in function 'gemm'`,
		`ptxas /tmp/x, line 9; warning : odd`,
		`ptxas info    : Function properties for gemm`,
		`    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads`,
		`    8 bytes stack frame, 99 bytes spill stores, 99 bytes spill loads`,
		`ptxas info    : Used 168 registers`,
	}, "\r\n"))
	if want := map[string]Spill{"gemm": {12, 16}}; !reflect.DeepEqual(log.Spills, want) {
		t.Errorf("spills %+v", log.Spills)
	}
	if len(log.Warnings) != 3 {
		t.Errorf("warnings %q", log.Warnings)
	}
	if losses := log.Losses(); len(losses) != 1 || !strings.Contains(losses[0], "C7510") {
		t.Errorf("losses %q", losses)
	}
	if clean := ParseLog("ptxas info    : 0 bytes gmem\n"); len(clean.Warnings)+len(clean.Spills) != 0 {
		t.Errorf("got %+v of a log without anything", clean)
	}
}

func TestWriteTable(t *testing.T) {
	f := &File{Kernels: []Kernel{{Name: "norm", Registers: 40, LocalBytes: 8, SharedBytes: 4096}, {Name: "rope", Registers: 32}}}
	var text strings.Builder
	rows := append(f.Rows("norm.cu 4096", "sm_90a", Log{Spills: map[string]Spill{"norm": {12, 16}}}), f.Rows("", "sm_80", Log{})[1:]...)
	if err := WriteTable(&text, rows); err != nil {
		t.Fatal(err)
	}
	want := `  registers  local  spill stores  spill loads  shared  architecture kernel
         40      8            12           16    4096        sm_90a norm.cu 4096 norm
         32      0             0            0       0        sm_90a norm.cu 4096 rope
         32      0             0            0       0         sm_80 rope
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
}
