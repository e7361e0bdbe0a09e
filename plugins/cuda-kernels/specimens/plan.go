package main

import (
	"fmt"
	"path"
	"slices"

	"github.com/honeml/hone/plugins/cuda-kernels/adapter"
	"github.com/honeml/hone/plugins/cuda-kernels/attention"
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/elementwise"
	"github.com/honeml/hone/plugins/cuda-kernels/experts"
	"github.com/honeml/hone/plugins/cuda-kernels/gemm"
	"github.com/honeml/hone/plugins/cuda-kernels/loss"
	"github.com/honeml/hone/plugins/cuda-kernels/norm"
	"github.com/honeml/hone/plugins/cuda-kernels/optimizer"
	"github.com/honeml/hone/plugins/cuda-kernels/rope"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

// A family is a package of kernels.
type family struct {
	name      string
	specimens func(*device.Set) error
}

// families are all of them, those whose sources take longest first: so no core is
// idle at the end.
var families = []family{
	{"attention", always(attention.Specimens)},
	{"elementwise", elementwise.Specimens},
	{"experts", always(experts.Specimens)},
	{"norm", always(norm.Specimens)},
	{"loss", always(loss.Specimens)},
	{"rope", always(rope.Specimens)},
	{"gemm", always(gemm.Specimens)},
	{"adapter", always(adapter.Specimens)},
	{"rows", always(rows.Specimens)},
	{"optimizer", always(optimizer.Specimens)},
}

// always is a family whose specimens cannot be wrong.
func always(specimens func(*device.Set)) func(*device.Set) error {
	return func(set *device.Set) error {
		specimens(set)
		return nil
	}
}

// Every specialisation is compiled for the architectures that tiles are chosen for,
// and of each kernel the first for the others that hone knows; a source for one
// architecture for that alone.
var (
	archs      = []string{"sm_80", "sm_90a"}
	otherArchs = []string{"sm_86", "sm_89", "sm_100a", "sm_120"}
)

// A job is a source to be compiled for an architecture.
type job struct {
	family  string
	source  device.Source
	kernels []string // that are asked of it
	arch    string
}

// file names the source's file beside the other families': "norm/weight.cu".
func (j job) file() string { return j.family + "/" + path.Base(j.source.Name) }

// plan is what is to be compiled of the families of these names, or of all.
func plan(names []string) ([]job, error) {
	for _, name := range names {
		if !slices.ContainsFunc(families, func(f family) bool { return f.name == name }) {
			return nil, fmt.Errorf("there is no family %q of kernels", name)
		}
	}
	var jobs []job
	for _, f := range families {
		if len(names) > 0 && !slices.Contains(names, f.name) {
			continue
		}
		of, err := f.jobs()
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, of...)
	}
	return jobs, nil
}

// jobs are the family's specimens, each for the architectures it is compiled for.
func (f family) jobs() ([]job, error) {
	set := new(device.Set)
	if err := f.specimens(set); err != nil {
		return nil, fmt.Errorf("specimens of %s: %w", f.name, err)
	}
	var jobs []job
	seen := map[string]bool{}
	for _, source := range set.Sources() {
		j := job{family: f.name, source: source, kernels: set.Kernels(source)}
		on := archs
		switch marks := j.marks(seen); {
		case source.Arch != "":
			on = []string{source.Arch}
		case marks:
			on = slices.Concat(archs, otherArchs)
		}
		for _, j.arch = range on {
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// marks reports whether the job has a kernel that is new to seen, and notes them.
func (j job) marks(seen map[string]bool) bool {
	found := false
	for _, kernel := range j.kernels {
		key := j.source.Name + " " + kernel
		found = found || !seen[key]
		seen[key] = true
	}
	return found
}
