package nvrtc

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// functions are the addresses of NVRTC's functions.
type functions struct {
	version, numArchs, archs           uintptr
	createProgram, destroyProgram      uintptr
	compileProgram                     uintptr
	logSize, log, cubinSize, cubinCode uintptr
}

func (f *functions) all() map[string]*uintptr {
	return map[string]*uintptr{
		"nvrtcVersion":              &f.version,
		"nvrtcGetNumSupportedArchs": &f.numArchs,
		"nvrtcGetSupportedArchs":    &f.archs,
		"nvrtcCreateProgram":        &f.createProgram,
		"nvrtcDestroyProgram":       &f.destroyProgram,
		"nvrtcCompileProgram":       &f.compileProgram,
		"nvrtcGetProgramLogSize":    &f.logSize,
		"nvrtcGetProgramLog":        &f.log,
		"nvrtcGetCUBINSize":         &f.cubinSize,
		"nvrtcGetCUBIN":             &f.cubinCode,
	}
}

// call calls a function of the library. A pointer among args must be converted by
// uintptr(unsafe.Pointer(p)) in the call itself, not in a function of its own: then
// the compiler puts what it points to on the heap and keeps it until the call is over.
//
//go:uintptrescapes
func call(fn uintptr, args ...uintptr) Status {
	result, _, _ := purego.SyscallN(fn, args...)
	return Status(int32(result))
}

// cStrings are strings that C reads, and the array of their addresses. Both are on
// the heap, where nothing moves.
type cStrings struct {
	text      []byte
	addresses []uintptr
}

// newCStrings copies the strings. One with a zero byte would end there, and is
// refused.
func newCStrings(strs []string) (*cStrings, error) {
	size := 0
	for _, s := range strs {
		if at := strings.IndexByte(s, 0); at >= 0 {
			return nil, fmt.Errorf("a zero byte at offset %d of %q", at, excerpt(s, at))
		}
		size += len(s) + 1
	}
	c := &cStrings{text: make([]byte, 0, size), addresses: make([]uintptr, len(strs))}
	for i, s := range strs {
		at := len(c.text)
		c.text = append(append(c.text, s...), 0)
		c.addresses[i] = uintptr(unsafe.Pointer(&c.text[at]))
	}
	return c, nil
}

// excerpt is what stands around an offset.
func excerpt(s string, at int) string {
	return s[max(0, at-20):min(len(s), at+20)]
}

// array is the address of the array of addresses. The strings must be kept alive for
// as long as C reads it.
func (c *cStrings) array() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(c.addresses))) }

// A program is one source in the compiler's hands.
type program struct {
	fn     *functions
	handle uintptr
}

// newProgram hands over a source, with the headers that it may include.
func newProgram(fn *functions, r Request) (*program, error) {
	strs := []string{r.Source, r.Name}
	names := sortedNames(r.Headers)
	for _, name := range names {
		strs = append(strs, r.Headers[name])
	}
	c, err := newCStrings(append(strs, names...))
	if err != nil {
		return nil, err
	}
	p := &program{fn: fn}
	const word = unsafe.Sizeof(uintptr(0))
	texts := c.array() + 2*word
	includes := texts + uintptr(len(names))*word
	status := call(fn.createProgram, uintptr(unsafe.Pointer(&p.handle)), c.addresses[0], c.addresses[1],
		uintptr(len(names)), texts, includes)
	runtime.KeepAlive(c)
	if status != success {
		return nil, status
	}
	return p, nil
}

// destroy frees the program. It fails for what is no program alone.
func (p *program) destroy() { _ = call(p.fn.destroyProgram, uintptr(unsafe.Pointer(&p.handle))) }

// compile runs the compiler. Its error is a Status, or of an option that C cannot
// read.
func (p *program) compile(options []string) error {
	c, err := newCStrings(options)
	if err != nil {
		return err
	}
	status := call(p.fn.compileProgram, p.handle, uintptr(len(options)), c.array())
	runtime.KeepAlive(c)
	if status != success {
		return status
	}
	return nil
}

// fetch reads what the compiler made: first its size, then the bytes.
func (p *program) fetch(size, read uintptr) ([]byte, error) {
	var n uintptr
	if status := call(size, p.handle, uintptr(unsafe.Pointer(&n))); status != success {
		return nil, status
	}
	data := make([]byte, n+1)
	if status := call(read, p.handle, uintptr(unsafe.Pointer(&data[0]))); status != success {
		return nil, status
	}
	return data[:n], nil
}

// compilerLog is what the compiler said, without C's end of string.
func (p *program) compilerLog() string {
	data, err := p.fetch(p.fn.logSize, p.fn.log)
	if err != nil {
		return ""
	}
	return string(bytes.TrimRight(data, "\x00"))
}
