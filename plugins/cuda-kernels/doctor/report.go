package doctor

import (
	"fmt"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
)

// A Report is what Examine found.
type Report struct {
	// Libraries are NVIDIA's: where each was found, in which version, and what is
	// wrong with it.
	Libraries dl.Report
	// Driver is the version of CUDA that the driver is for; zero where none answers.
	Driver dl.Version
	// Devices are the GPUs that this process sees, by index.
	Devices []Device
}

// A Device is one GPU.
type Device struct {
	cuda.Device
	Arch       string // that kernels are compiled for: "sm_90a"; empty where that is not known
	FreeMemory int64  // bytes; -1 where that is not known
	Works      bool   // a kernel was compiled for it, ran, and gave the right answer
	Problem    string // why it does not, where it is the device's fault; else empty
	Hint       string // what to do about the Problem; may be empty
}

// OK reports whether hone can train on one of the GPUs.
func (r *Report) OK() bool { return r.Libraries.OK() && len(r.working()) > 0 }

// working are the names of the GPUs that work.
func (r *Report) working() []string {
	var out []string
	for _, d := range r.Devices {
		if d.Works {
			out = append(out, fmt.Sprintf("GPU %d", d.Index))
		}
	}
	return out
}

// String is the report as text of several lines.
func (r *Report) String() string {
	var b strings.Builder
	_, _ = r.Libraries.WriteTo(&b) // to memory: it does not fail
	for _, d := range r.Devices {
		fmt.Fprintln(&b, d)
		for _, line := range []string{d.Problem, d.Hint} {
			if line != "" {
				fmt.Fprintf(&b, "GPU %d: %s\n", d.Index, line)
			}
		}
	}
	if r.OK() {
		fmt.Fprintf(&b, "hone can train on %s\n", strings.Join(r.working(), ", "))
	} else {
		b.WriteString("hone cannot train on a GPU here\n")
	}
	return b.String()
}

const gib = 1 << 30

// String is the device on one line.
func (d Device) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "GPU %d: %s, compute capability %s, %d multiprocessors, %.1f GiB", d.Index, d.Name, d.Compute(), d.SMs, float64(d.TotalMemory)/gib)
	if d.FreeMemory >= 0 {
		fmt.Fprintf(&b, ", %.1f GiB free", float64(d.FreeMemory)/gib)
	}
	fmt.Fprintf(&b, ", %s", d.UUID)
	if d.Works {
		fmt.Fprintf(&b, ": runs kernels compiled for %s", d.Arch)
	}
	return b.String()
}
