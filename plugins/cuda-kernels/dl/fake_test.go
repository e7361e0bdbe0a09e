package dl

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// sharedLibrary is an ELF file that a linker could have written: no code, the
// dynamic section names what it needs.
func sharedLibrary(t testing.TB, machine elf.Machine, needs ...string) []byte {
	t.Helper()
	const header, sectionHeader = 64, 64
	strings := []byte{0}
	var dynamic []elf.Dyn64
	for _, name := range needs {
		dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(len(strings))})
		strings = append(append(strings, name...), 0)
	}
	dynamic = append(dynamic, elf.Dyn64{Tag: int64(elf.DT_NULL)})
	var body bytes.Buffer
	write := func(v any) {
		if err := binary.Write(&body, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	stringsAt := uint64(header)
	dynamicAt := stringsAt + uint64(len(strings))
	sectionsAt := dynamicAt + uint64(16*len(dynamic))
	write(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_DYN), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Shoff: sectionsAt, Ehsize: header, Shentsize: sectionHeader, Shnum: 3, Shstrndx: 1,
	})
	write(strings)
	write(dynamic)
	write(elf.Section64{})
	write(elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: stringsAt, Size: uint64(len(strings))})
	write(elf.Section64{Type: uint32(elf.SHT_DYNAMIC), Off: dynamicAt, Size: uint64(16 * len(dynamic)), Link: 1, Entsize: 16})
	return body.Bytes()
}

// A tree is a fake system: what lies where below a temporary root.
type tree struct {
	t    testing.TB
	root string
	env  map[string]string
}

func newTree(t testing.TB) *tree {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &tree{t: t, root: root, env: map[string]string{}}
}

func (tr *tree) system() System {
	return System{Root: tr.root, Getenv: func(name string) string { return tr.env[name] }}
}

func (tr *tree) path(name string) string { return filepath.Join(tr.root, name) }

func (tr *tree) write(name string, data []byte) {
	tr.t.Helper()
	path := tr.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

// libraries writes shared libraries for this machine.
func (tr *tree) libraries(names ...string) {
	tr.t.Helper()
	for _, name := range names {
		tr.write(name, sharedLibrary(tr.t, machine(), "libc.so.6"))
	}
}

func (tr *tree) link(target, name string) {
	tr.t.Helper()
	path := tr.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		tr.t.Fatal(err)
	}
}

// loaderCacheOf is a loader's cache in glibc's format 1.1.
func loaderCacheOf(entries ...[2]string) []byte {
	data := make([]byte, cacheHeader+cacheEntry*len(entries))
	copy(data, cacheMagic)
	binary.LittleEndian.PutUint32(data[20:], uint32(len(entries)))
	for i, entry := range entries {
		at := cacheHeader + cacheEntry*i
		for j, text := range entry {
			binary.LittleEndian.PutUint32(data[at+4+4*j:], uint32(len(data)))
			data = append(append(data, text...), 0)
		}
	}
	return data
}
