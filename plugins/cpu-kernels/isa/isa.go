// Package isa says which vector instructions the kernels of this plugin use.
//
// The choice is made once, from what the processor and the operating system
// support, and may be overridden by the environment variable HONE_CPU, which is
// for tests: on a machine with AVX-512 the narrower kernels can be tried too.
//
// It holds no kernels.
package isa

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A Level is a set of instructions that kernels are written for.
type Level int

// The levels. A processor has all those of its own architecture up to its best.
const (
	Generic Level = iota // plain Go
	NEON                 // arm64: 128-bit vectors
	AVX2                 // amd64: 256-bit vectors, FMA, F16C
	AVX512               // amd64: 512-bit vectors (F, DQ, BW, VL)
)

// Variable is the environment variable that overrides the choice.
const Variable = "HONE_CPU"

// String is the level's name, as HONE_CPU takes it.
func (l Level) String() string {
	switch l {
	case Generic:
		return "generic"
	case NEON:
		return "neon"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return fmt.Sprintf("level %d", int(l))
}

// Detect is the level to use: the best that this machine has, or the one that
// HONE_CPU names. Where that is unknown, or beyond this machine, the error says
// so and the level is the machine's best.
func Detect() (Level, error) {
	levels := Supported()
	best := levels[len(levels)-1]
	name := strings.ToLower(strings.TrimSpace(os.Getenv(Variable)))
	if name == "" {
		return best, nil
	}
	var known []string
	for _, l := range levels {
		if l.String() == name {
			return l, nil
		}
		known = append(known, l.String())
	}
	return best, fmt.Errorf("%s=%s: this machine has %s", Variable, name, strings.Join(known, ", "))
}

// Has reports whether this machine has a level.
func Has(l Level) bool { return slices.Contains(Supported(), l) }
