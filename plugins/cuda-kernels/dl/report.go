package dl

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
)

// A Report is what a doctor tells of the libraries.
type Report struct {
	Kernel  KernelModule
	Items   []Item
	Folders []Folder // that were searched
}

// An Item is one library of a report.
type Item struct {
	Spec    Spec
	Found   []Candidate // best first; empty where it is missing
	Missing []string    // companions that do not lie beside the first
	// Version is what the library itself says, where it was opened; set by those
	// that open it.
	Version string
	// Problem is why what was found cannot be used, where that is known.
	Problem string
	Hint    string // how to get it; empty where nothing is wrong
}

// OK reports whether nothing is wrong with the library.
func (i Item) OK() bool { return len(i.Found) > 0 && len(i.Missing) == 0 && i.Problem == "" }

// Report looks for the libraries. It opens none. driver is the version of CUDA that
// the driver is for, or zero.
func (f *Finder) Report(kernel KernelModule, driver Version, specs ...Spec) Report {
	r := Report{Kernel: kernel, Folders: f.Folders}
	for _, spec := range specs {
		item := Item{Spec: spec, Found: f.Candidates(spec)}
		if len(item.Found) > 0 {
			item.Missing = item.Found[0].MissingCompanions(spec)
			item.Version = item.Found[0].Version
		}
		if !item.OK() {
			item.Hint = item.Spec.Install(driver)
		}
		if spec.Driver && len(item.Found) == 0 && kernel.Version != "" {
			item.Hint = "the kernel module is loaded, but its library is not here: in a container, start it with --gpus all and " +
				"NVIDIA_DRIVER_CAPABILITIES=compute,utility; else install the driver's libraries of version " + kernel.Version
		}
		r.Items = append(r.Items, item)
	}
	return r
}

// OK reports whether every library that hone cannot do without is there.
func (r Report) OK() bool {
	for _, item := range r.Items {
		if !item.OK() && !item.Spec.Optional {
			return false
		}
	}
	return true
}

// WriteTo writes the report as text: a line for each library, and what to do about
// those that are missing.
func (r Report) WriteTo(w io.Writer) (int64, error) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "kernel module\t%s\t%s\n", orNone(r.Kernel.Version), strings.Join(r.Kernel.Devices, " "))
	for _, item := range r.Items {
		name := item.Spec.Name
		if item.Spec.Optional {
			name += " (optional)"
		}
		if len(item.Found) == 0 {
			fmt.Fprintf(table, "%s\tmissing\t%s\n", name, strings.Join(item.Spec.Sonames, ", "))
			continue
		}
		first := item.Found[0]
		fmt.Fprintf(table, "%s\t%s\t%s (%s)\n", name, orNone(item.Version), first.Path, first.Why)
	}
	if err := table.Flush(); err != nil {
		return 0, err
	}
	for _, item := range r.Items {
		if item.Problem != "" {
			fmt.Fprintf(&text, "%s: %s\n", item.Spec.Name, item.Problem)
		}
		for _, missing := range item.Missing {
			fmt.Fprintf(&text, "%s: %s does not lie beside it\n", item.Spec.Name, missing)
		}
		if item.Hint != "" {
			fmt.Fprintf(&text, "%s: %s\n", item.Spec.Name, item.Hint)
		}
	}
	if !r.OK() {
		fmt.Fprintf(&text, "searched %d folders:\n", len(r.Folders))
		for _, folder := range r.Folders {
			fmt.Fprintf(&text, "  %s (%s)\n", folder.Path, folder.Why)
		}
	}
	n, err := io.WriteString(w, text.String())
	return int64(n), err
}

var _ io.WriterTo = Report{}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// A KernelModule is the part of the driver that runs in the kernel.
type KernelModule struct {
	Version string   // "580.159.04"; empty where it is not loaded
	Devices []string // the device files that this process can see
}

var moduleVersion = regexp.MustCompile(`Kernel Module(?: for [^ ]+)?\s+([0-9]+(?:\.[0-9]+)+)`)

// KernelModule reads what the kernel says of NVIDIA's module.
func (s System) KernelModule() KernelModule {
	var m KernelModule
	if data, err := os.ReadFile(filepath.Join(s.Root, "/proc/driver/nvidia/version")); err == nil {
		if found := moduleVersion.FindSubmatch(data); found != nil {
			m.Version = string(found[1])
		}
	}
	for _, pattern := range []string{"/dev/nvidia[0-9]*", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/dxg"} {
		found, err := filepath.Glob(filepath.Join(s.Root, pattern))
		if err != nil {
			continue
		}
		for _, path := range found {
			m.Devices = append(m.Devices, strings.TrimPrefix(path, s.Root))
		}
	}
	return m
}
