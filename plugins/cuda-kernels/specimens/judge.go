package main

import (
	"errors"
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/cubin"
)

// registersOfProcessor is how many registers a multiprocessor has, since sm_80; a
// block's threads must find theirs among them. They are given to warps, by 8 a
// thread.
const (
	registersOfProcessor = 65536
	registersAtOnce      = 8
	warp                 = 32
)

// judge finds what is wrong with compiled kernels: a warning of the compiler; a
// kernel that was asked for and is not there; one that does not say how many threads
// its blocks have, or whose largest block finds no registers; and spills, but for the
// known ones.
func judge(r result, spills []known) error {
	var mistakes []error
	wrong := func(format string, args ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s: "+format, append([]any{r.job}, args...)...))
	}
	for _, warning := range r.log.Warnings {
		wrong("%s", warning)
	}
	for _, name := range r.kernels {
		if _, ok := r.compiled.Kernel(name); !ok {
			wrong("there is no kernel %s", name)
		}
	}
	for _, k := range r.compiled.Kernels {
		if k.MaxThreads == 0 {
			wrong("kernel %s has no __launch_bounds__, so that its registers may be too many for its blocks", k.Name)
		}
		if n := blockRegisters(k); n > registersOfProcessor {
			wrong("kernel %s takes %d registers a thread: a block of %d has %d, a multiprocessor %d",
				k.Name, k.Registers, k.MaxThreads, n, registersOfProcessor)
		}
		if spill, most := r.log.Spills[k.Name], mostSpilled(spills, r.file(), k.Name, r.arch); spill.Stores+spill.Loads > most {
			wrong("kernel %s spills: %d bytes of stores and %d of loads a thread, known are %d", k.Name, spill.Stores, spill.Loads, most)
		}
	}
	return errors.Join(mistakes...)
}

// blockRegisters is what the largest block of a kernel takes.
func blockRegisters(k cubin.Kernel) int {
	return roundUp(k.Registers, registersAtOnce) * roundUp(k.MaxThreads, warp)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// known is a kernel that may spill, and why that is better than another way.
type known struct {
	file, kernel string
	arch         string // "": each
	bytes        int    // of stores and loads, together
	why          string
}

var knownSpills = []known{
	{
		"attention/forward.cu", "attention_forward", "", 32,
		"heads of 128 columns: results and scores of two tiles of queries take 192 registers, and the rest more than there are; smaller tiles are slower",
	},
	{
		"attention/hopper_keys.cu", "attention_keys", "sm_90a", 264,
		"heads of 128 columns under a cap and a window: results, scores and their gradients take 192 of 240 registers; what is spilled is read beside none of them",
	},
	{
		"attention/hopper_wide_keys.cu", "attention_wide_keys", "sm_90a", 120,
		"heads of 256 columns: results, scores and their gradients take 176 of 240 registers, addresses of operands many of the rest; three numbers a step are read beside products",
	},
	{
		"attention/decode.cu", "attention_decode", "sm_80", 24,
		"keys of 192 columns: ptxas stops at 40 registers of its own accord, and spills three numbers",
	},
	{
		"attention/decode.cu", "attention_decode", "sm_90a", 12,
		"keys of 256 columns under a cap and a window: the same, of a number",
	},
	{
		"attention/plain.cu", "attention_keys", "sm_100a", 16,
		"the kernel without tensor cores, at the edge of what its block may have; on other architectures it fits",
	},
}

// mostSpilled is how many bytes a kernel may spill.
func mostSpilled(spills []known, file, kernel, arch string) int {
	for _, k := range spills {
		if k.file == file && k.kernel == kernel && (k.arch == "" || k.arch == arch) {
			return k.bytes
		}
	}
	return 0
}
