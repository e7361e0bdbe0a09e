package device

import (
	_ "embed"
	"slices"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
)

// Header is hone.cuh, which each Source may include.
//
//go:embed hone.cuh
var Header string

// PTX is ptx.cuh, which a Source for tensor cores has before its own text.
//
//go:embed ptx.cuh
var PTX string

// Hopper is hopper.cuh: what a Source for Hopper alone has after PTX, before its own
// text. Its Arch is HopperArch.
//
//go:embed hopper.cuh
var Hopper string

// HopperArch is what [GPU.Arch] is on a Hopper GPU.
const HopperArch = "sm_90a"

// HeaderName is what a Source includes.
const HeaderName = "hone.cuh"

// Include is the line that includes it: what a Source begins with that has PTX before
// its own text.
const Include = "#include \"" + HeaderName + "\"\n"

// A Source is CUDA C++ that is compiled as one: a file and how it is specialised.
type Source struct {
	Name    string   // "norm.cu", in messages
	Text    string   // its kernels are extern "C"
	Defines []string // "WIDTH=4096"
	Arch    string   // the one architecture it is for; "": each
}

func (s Source) key() string {
	return s.Name + "\x00" + s.Arch + "\x00" + strings.Join(s.Defines, "\x00") + "\x00" + s.Text
}

// Describe is the source as messages name it.
func (s Source) Describe() string {
	if len(s.Defines) == 0 {
		return s.Name
	}
	return s.Name + " (" + strings.Join(s.Defines, " ") + ")"
}

// A Set collects the kernels of a plan. Kernels can be launched once the Set was
// loaded.
type Set struct {
	units map[string]*unit
	order []*unit
}

// unit is a Source with the kernels that are asked of it.
type unit struct {
	source  Source
	kernels []*Kernel

	compiled *nvrtc.Result // nil until it was
	loaded   bool
}

// A Kernel is a function of a Source.
type Kernel struct {
	Name   string
	Source Source
	loaded
}

// Kernel is the function of that name in a source. The same one is given for the
// same source and name.
func (s *Set) Kernel(source Source, name string) *Kernel {
	key := source.key()
	u := s.units[key]
	if u == nil {
		if s.units == nil {
			s.units = map[string]*unit{}
		}
		u = &unit{source: source}
		s.units[key] = u
		s.order = append(s.order, u)
	}
	at := slices.IndexFunc(u.kernels, func(k *Kernel) bool { return k.Name == name })
	if at < 0 {
		at = len(u.kernels)
		u.kernels = append(u.kernels, &Kernel{Name: name, Source: source})
	}
	return u.kernels[at]
}

// Sources are what the Set compiles, in the order in which they were asked for.
func (s *Set) Sources() []Source {
	out := make([]Source, len(s.order))
	for i, u := range s.order {
		out[i] = u.source
	}
	return out
}

// Kernels are the names of the kernels that were asked of a source.
func (s *Set) Kernels(source Source) []string {
	u := s.units[source.key()]
	if u == nil {
		return nil
	}
	names := make([]string, len(u.kernels))
	for i, k := range u.kernels {
		names[i] = k.Name
	}
	return names
}
