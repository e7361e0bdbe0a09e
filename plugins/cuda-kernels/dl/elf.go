package dl

import (
	"debug/elf"
	"runtime"
)

// machine is the processor of this process, in ELF's numbers.
func machine() elf.Machine {
	switch runtime.GOARCH {
	case "amd64":
		return elf.EM_X86_64
	case "arm64":
		return elf.EM_AARCH64
	}
	return elf.EM_NONE
}

// readShared reports whether the file is a shared library for this processor, and
// the sonames that it is linked with.
func readShared(path string) (needs []string, ok bool) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	return shared(file)
}

func shared(file *elf.File) (needs []string, ok bool) {
	if file.Class != elf.ELFCLASS64 || file.Type != elf.ET_DYN || file.Machine != machine() {
		return nil, false
	}
	needs, err := file.ImportedLibraries()
	if err != nil {
		return nil, true // without a dynamic section that Go reads; the loader will say
	}
	return needs, true
}
