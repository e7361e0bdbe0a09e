package isa

import "golang.org/x/sys/cpu"

// Supported lists the levels of this machine, the best last.
func Supported() []Level {
	levels := []Level{Generic}
	x := cpu.X86
	if x.HasAVX2 && x.HasFMA && x.HasF16C {
		levels = append(levels, AVX2)
		if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VL {
			levels = append(levels, AVX512)
		}
	}
	return levels
}
