package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/honeml/hone/host/hub"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/sdk/plugin"
)

func (a *app) doctorCommand() *cobra.Command {
	var libraries []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what of this machine hone can use, what is missing and how to get it",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.doctor(cmd.Context(), libraries)
		},
	}
	cmd.Flags().StringArrayVar(&libraries, "libraries", nil, "a `folder` to look for NVIDIA's libraries in, before all others")
	return cmd
}

// errUnwell says that hone doctor found something that has to be put right.
var errUnwell = errors.New("something has to be put right, see above")

func (a *app) doctor(ctx context.Context, libraries []string) error {
	out := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("hone", "%s, %s, %s/%s", a.version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	row("processor", "%s", processor())
	if text := memoryText(); text != "" {
		row("memory", "%s", text)
	}
	found, why := a.machine.Look()
	if found {
		why = "there seems to be an NVIDIA GPU"
	}
	row("GPU", "%s", why)
	c, err := a.chooseKernels(false)
	if err != nil {
		row("kernels", "%v", err)
	} else {
		row("kernels", "%s, where a run file names none", c.name)
	}
	well := err == nil
	row("models", "%s", folderText(hub.Environment(os.Getenv)))
	row("cache", "%s", folderText(pluginhost.CacheFolder(os.Getenv)))
	for _, name := range doctorVariables() {
		if v, ok := os.LookupEnv(name); ok {
			row("variable", "%s=%s", name, v)
		}
	}
	well = a.doctorPlugins(ctx, row) && well
	if err := out.Flush(); err != nil {
		return err
	}
	if !a.examine(ctx, libraries, found) {
		well = false
	}
	if !well {
		return errUnwell
	}
	return nil
}

// doctorVariables are what decides where hone looks and what it takes. None is a
// secret.
func doctorVariables() []string {
	return []string{
		kernelsVariable, "HONE_PLUGIN_DIR", "HONE_CACHE_DIR", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME",
		"CUDA_VISIBLE_DEVICES", "CUDA_HOME", "LD_LIBRARY_PATH", "GOMAXPROCS",
	}
}

// doctorPlugins lists the plugins; it reports whether all of them can be used.
func (a *app) doctorPlugins(ctx context.Context, row func(name, format string, args ...any)) bool {
	well := true
	for _, p := range a.plugins().Plugins() {
		version, _, err := describe(ctx, a.plugins(), p)
		if err != nil {
			well = false
			version = "cannot be used: " + strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		row("plugin", "%s %s, %s", p, version, p.Path)
	}
	for _, s := range a.plugins().Skipped() {
		row("left alone", "%s", s)
	}
	return well
}

// examine has the plugins that can look at their devices do so. It reports false
// where one of them ought to have a device, and cannot train.
func (a *app) examine(ctx context.Context, libraries []string, gpu bool) bool {
	well := true
	for _, p := range a.plugins().Plugins() {
		if p.Kind != plugin.Kernels {
			continue
		}
		_, d, err := a.plugins().Kernels(ctx, p.Name)
		if err != nil || !slices.Contains(d.Capabilities, plugin.DoctorCapability) {
			continue
		}
		fmt.Fprintf(a.Out, "\n%s\n", p)
		report, healthy, err := pluginhost.Examine(ctx, p, libraries)
		for line := range strings.Lines(report) {
			fmt.Fprintf(a.Out, "  %s\n", strings.TrimRight(line, "\r\n"))
		}
		if err != nil {
			fmt.Fprintf(a.Out, "  %v\n", err)
		}
		well = well && (healthy || !gpu)
	}
	return well
}

// folderText is a folder, and whether it is there.
func folderText(path string) string {
	switch {
	case path == "":
		return "none"
	case !exists(path):
		return path + " (not there yet)"
	}
	return path
}

// processor is the processor's name, where the system tells, and its cores.
func processor() string {
	text := fmt.Sprintf("%d cores", runtime.NumCPU())
	if n := runtime.GOMAXPROCS(0); n != runtime.NumCPU() {
		text += fmt.Sprintf(", %d of them used", n)
	}
	if name := procField("/proc/cpuinfo", "model name"); name != "" {
		return name + ", " + text
	}
	return text
}

// memoryText is how much memory there is, where the system tells.
func memoryText() string {
	total, available := procBytes("MemTotal"), procBytes("MemAvailable")
	if total == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %s available", bytesText(total), bytesText(available))
}

// procBytes is an entry of /proc/meminfo, which is in kB; 0 where there is none.
func procBytes(name string) int64 {
	number, _, _ := strings.Cut(procField("/proc/meminfo", name), " ")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// procField is the first value of a name in one of Linux's files; "" where there is
// none.
func procField(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
