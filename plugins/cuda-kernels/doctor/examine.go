package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/cublaslt"
	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/dl"
	"github.com/honeml/hone/plugins/cuda-kernels/nvrtc"
	"github.com/honeml/hone/sdk/fault"
)

// Examine looks at a machine: dl.Host(), with the folders that the user names in its
// Extra. What it finds wrong is in the Report. Once ctx is done it begins no further
// work on a GPU.
func Examine(ctx context.Context, system dl.System) *Report {
	e := &examination{
		libraries: libraries{
			open:            openFirst,
			compiler:        func(from dl.Symbols) (compiler, error) { return nvrtc.Open(from) },
			cublasltVersion: cublaslt.Check,
			ncclVersion:     ncclVersion,
		},
		finder: system.Finder(),
		report: &Report{Libraries: dl.Report{Kernel: system.KernelModule()}},
	}
	e.run(ctx)
	return e.report
}

// openFirst opens the library that a run would.
func openFirst(f *dl.Finder, spec dl.Spec, driver dl.Version) (from dl.Symbols, path string, err error) {
	l, err := f.Open(spec, driver, nil)
	if err != nil {
		return nil, "", err
	}
	return l, l.Path, nil
}

// libraries are how libraries are opened.
type libraries struct {
	open            func(f *dl.Finder, spec dl.Spec, driver dl.Version) (from dl.Symbols, path string, err error)
	compiler        func(from dl.Symbols) (compiler, error)
	cublasltVersion func(from dl.Symbols) (dl.Version, error)
	ncclVersion     func(from dl.Symbols) (string, error)
}

// A compiler is an [nvrtc.Compiler].
type compiler interface {
	Version() dl.Version
	Archs() []string
	Compile(ctx context.Context, r nvrtc.Request) (*nvrtc.Result, error)
}

var _ compiler = (*nvrtc.Compiler)(nil)

// An examination is one look at a machine.
type examination struct {
	libraries
	finder *dl.Finder
	report *Report

	driver  *cuda.Driver // nil where none can be used
	devices []cuda.Device
	nvrtc   compiler // nil where none can be used
}

func (e *examination) run(ctx context.Context) {
	e.report.Libraries.Folders = e.finder.Folders
	// The driver comes first: which of the others fit depends on it.
	e.examine(dl.Driver, e.openDriver)
	e.examine(dl.NVRTC, e.openCompiler)
	e.examine(dl.CublasLt, func(from dl.Symbols) (string, error) {
		version, err := e.cublasltVersion(from)
		return version.String(), err
	})
	e.examine(dl.NCCL, e.ncclVersion)
	for _, device := range e.devices {
		e.report.Devices = append(e.report.Devices, e.examineDevice(ctx, device))
	}
}

// openDriver starts the driver.
func (e *examination) openDriver(from dl.Symbols) (version string, err error) {
	driver, err := cuda.Open(from)
	if err != nil {
		return "", err
	}
	e.driver, e.report.Driver = driver, driver.Version()
	e.devices, err = driver.Devices()
	return "CUDA " + e.report.Driver.String(), err
}

func (e *examination) openCompiler(from dl.Symbols) (version string, err error) {
	c, err := e.compiler(from)
	if err != nil {
		return "", err
	}
	e.nvrtc = c
	return c.Version().String(), nil
}

// examine reports one library: ask gives the version that an open one says it has.
func (e *examination) examine(spec dl.Spec, ask func(from dl.Symbols) (version string, err error)) {
	kernel := e.report.Libraries.Kernel
	item := e.finder.Report(kernel, e.report.Driver, spec).Items[0]
	if len(item.Found) > 0 {
		if err := e.ask(&item, ask); err != nil {
			item.Problem, item.Hint = oneLine(err), fault.HintOf(err)
		}
	}
	e.report.Libraries.Items = append(e.report.Libraries.Items, item)
}

func (e *examination) ask(item *dl.Item, ask func(from dl.Symbols) (version string, err error)) error {
	from, path, err := e.open(e.finder, item.Spec, e.report.Driver)
	if err != nil {
		return err
	}
	choose(item, path)
	version, err := ask(from)
	if err != nil {
		return err
	}
	switch {
	case item.Spec.Driver && strings.Contains(item.Version, "."): // not the soname's number alone
		item.Version += ", " + version
	case !strings.HasPrefix(item.Version, version): // a package's version tells more
		item.Version = version
	}
	return nil
}

// choose puts the file that was opened first, where others were passed over.
func choose(item *dl.Item, path string) {
	i := slices.IndexFunc(item.Found, func(c dl.Candidate) bool { return c.Path == path })
	if i <= 0 {
		return
	}
	chosen := item.Found[i]
	item.Found = slices.Insert(slices.Delete(item.Found, i, i+1), 0, chosen)
	item.Version, item.Missing = chosen.Version, chosen.MissingCompanions(item.Spec)
}

// oneLine is an error whose parts stand on lines of their own, on one.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
