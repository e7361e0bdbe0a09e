// Package cubin reads what a compiled CUDA kernel takes of a GPU, from the cubin's
// ELF sections and from the compiler's log: registers, shared and local memory,
// spills, and the sizes of its parameters. So a launch can be checked before it is
// made, and CI prints a table of all kernels on a machine without a GPU.
//
// It neither compiles nor loads: that is for the packages nvrtc and cuda.
package cubin

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// A File is what a cubin holds.
type File struct {
	Arch    int      // compute capability, ten times the major number plus the minor: 90
	Kernels []Kernel // by name
}

// A Kernel is one function that can be launched.
type Kernel struct {
	Name        string // as the linker knows it; of a template, mangled
	Registers   int    // per thread
	LocalBytes  int    // stack frame per thread, spilled registers included
	SharedBytes int    // per block, without what a launch adds
	MaxThreads  int    // of a block, from __launch_bounds__; 0: not bounded
	Parameters  []Parameter
}

// A Parameter is one argument of a kernel, in bytes.
type Parameter struct {
	Offset, Size int
}

// Kernel is the kernel of that name.
func (f *File) Kernel(name string) (Kernel, bool) {
	i, ok := slices.BinarySearchFunc(f.Kernels, name, func(k Kernel, name string) int { return strings.Compare(k.Name, name) })
	if !ok {
		return Kernel{}, false
	}
	return f.Kernels[i], true
}

// Attributes of .nv.info and .nv.info.NAME that are read. A record is a byte of
// format, one of attribute, two of length or value, and at format 4 that many bytes.
// The formats are NVIDIA's own; the CUDA Binary Utilities print them (cuobjdump
// --dump-elf).
const (
	infoMaxThreads = 0x05
	infoFrameSize  = 0x11
	infoParameter  = 0x17
	infoRegisters  = 0x2f

	formatSized = 4
	headerSize  = 64

	// entryFlag marks, in a symbol's st_other, a function that can be launched.
	entryFlag = 0x10
	// reservedShared is what the system takes of a block's shared memory since
	// compute capability 9.0; the section of a kernel's own counts it.
	reservedShared = 1024
)

// Parse reads a cubin.
func Parse(data []byte) (*File, error) {
	if len(data) < headerSize {
		return nil, fmt.Errorf("reading a cubin: %d bytes are none", len(data))
	}
	// Before CUDA 13 the header's version is a compiler's, not ELF's.
	standard := bytes.Clone(data)
	binary.LittleEndian.PutUint32(standard[20:], uint32(elf.EV_CURRENT))
	file, err := elf.NewFile(bytes.NewReader(standard))
	if err != nil {
		return nil, fmt.Errorf("reading a cubin: %w", err)
	}
	if file.Machine != elf.EM_CUDA || file.Class != elf.ELFCLASS64 {
		return nil, fmt.Errorf("reading a cubin: the file is for %s, not for a GPU", file.Machine)
	}
	symbols, err := file.Symbols()
	if err != nil {
		return nil, fmt.Errorf("reading a cubin: %w", err)
	}
	out := &File{Arch: arch(data)}
	byIndex := map[uint32]*Kernel{}
	for i, symbol := range symbols {
		if elf.ST_TYPE(symbol.Info) != elf.STT_FUNC || symbol.Other&entryFlag == 0 {
			continue
		}
		k := &Kernel{Name: symbol.Name}
		if err := k.read(file, out.Arch); err != nil {
			return nil, fmt.Errorf("reading a cubin: kernel %q: %w", symbol.Name, err)
		}
		byIndex[uint32(i+1)] = k // Symbols leaves out the first, which is none
	}
	if err := readTotals(file, byIndex); err != nil {
		return nil, fmt.Errorf("reading a cubin: %w", err)
	}
	for _, k := range byIndex {
		out.Kernels = append(out.Kernels, *k)
	}
	slices.SortFunc(out.Kernels, func(a, b Kernel) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// arch is the compute capability in the header's flags: since version 8 of the
// format in the second byte, before in the first.
func arch(data []byte) int {
	const version, flags = 8, 48
	if data[version] >= 8 {
		return int(data[flags+1])
	}
	return int(data[flags])
}

// read takes what stands in sections of the kernel's own.
func (k *Kernel) read(file *elf.File, arch int) error {
	if s := file.Section(".nv.shared." + k.Name); s != nil {
		k.SharedBytes = int(s.Size)
		if arch >= 90 && k.SharedBytes >= reservedShared {
			k.SharedBytes -= reservedShared
		}
	}
	s := file.Section(".nv.info." + k.Name)
	if s == nil {
		return nil
	}
	return eachRecord(s, func(attribute byte, value []byte) error {
		switch {
		case attribute == infoParameter && len(value) >= 12:
			ordinal := int(binary.LittleEndian.Uint16(value[4:]))
			if ordinal >= maxParameters {
				return fmt.Errorf("parameter %d: a kernel has at most %d", ordinal, maxParameters)
			}
			for len(k.Parameters) <= ordinal {
				k.Parameters = append(k.Parameters, Parameter{})
			}
			k.Parameters[ordinal] = Parameter{
				Offset: int(binary.LittleEndian.Uint16(value[6:])),
				Size:   int(binary.LittleEndian.Uint32(value[8:]) >> 18),
			}
		case attribute == infoMaxThreads && len(value) >= 12:
			k.MaxThreads = 1
			for i := range 3 {
				k.MaxThreads *= int(binary.LittleEndian.Uint32(value[4*i:]) & 0xffff)
			}
		}
		return nil
	})
}

// maxParameters bounds a kernel's parameters: 32764 bytes of them are allowed.
const maxParameters = 32764

// readTotals takes what stands in the section of all kernels, by their symbols.
func readTotals(file *elf.File, byIndex map[uint32]*Kernel) error {
	s := file.Section(".nv.info")
	if s == nil {
		return nil
	}
	return eachRecord(s, func(attribute byte, value []byte) error {
		if attribute != infoRegisters && attribute != infoFrameSize || len(value) < 8 {
			return nil
		}
		k := byIndex[binary.LittleEndian.Uint32(value)]
		if k == nil {
			return nil
		}
		if n := int(binary.LittleEndian.Uint32(value[4:])); attribute == infoRegisters {
			k.Registers = n
		} else {
			k.LocalBytes = n
		}
		return nil
	})
}

// eachRecord goes through the records of format 4 in a section; the others have no
// value beyond two bytes, and none of those is read.
func eachRecord(s *elf.Section, f func(attribute byte, value []byte) error) error {
	data, err := s.Data()
	if err != nil {
		return fmt.Errorf("section %s: %w", s.Name, err)
	}
	for len(data) > 0 {
		if len(data) < 4 {
			return fmt.Errorf("section %s ends within a record", s.Name)
		}
		format, attribute := data[0], data[1]
		length := int(binary.LittleEndian.Uint16(data[2:]))
		data = data[4:]
		if format != formatSized {
			continue
		}
		if length > len(data) {
			return fmt.Errorf("section %s ends within a record", s.Name)
		}
		if err := f(attribute, data[:length]); err != nil {
			return fmt.Errorf("section %s: %w", s.Name, err)
		}
		data = data[length:]
	}
	return nil
}
