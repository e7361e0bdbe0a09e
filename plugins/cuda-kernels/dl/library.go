package dl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// A Library is an open shared library. It stays open until the process ends:
// CUDA's libraries start threads and register handlers that outlive a dlclose.
type Library struct {
	Candidate
	handle uintptr
}

// load opens a candidate, and before it what it needs and would not find itself.
func load(c Candidate, search func(soname string) string) (*Library, error) {
	for _, before := range c.preload(search) {
		// Whether it had to be opened shows below, with the loader's own words.
		_, _ = openLibrary(before)
	}
	handle, err := openLibrary(c.Path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", c.Path, err)
	}
	return &Library{Candidate: c, handle: handle}, nil
}

// Symbol is the address of a function of the library.
func (l *Library) Symbol(name string) (uintptr, error) {
	address, err := findSymbol(l.handle, name)
	if err != nil || address == 0 {
		return 0, fmt.Errorf("%s has no function %s", l.Path, name)
	}
	return address, nil
}

// A Symbols finds functions by name; [Library] does.
type Symbols interface {
	Symbol(name string) (uintptr, error)
}

var _ Symbols = (*Library)(nil)

// Resolve finds the address of each function and puts it where the map says. It
// names all that are missing at once.
func Resolve(from Symbols, functions map[string]*uintptr) error {
	var missing []string
	for name, address := range functions {
		found, err := from.Symbol(name)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		*address = found
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("functions are missing: %s", strings.Join(missing, ", "))
}

// Open opens the first candidate of spec that can be opened and that accept, which
// may be nil, does not refuse. A library made for a newer major version of CUDA
// than the driver's is passed over; a zero Version passes none.
//
// The error is fault.Unsupported. It tells of each candidate why it did not serve,
// and its hint how to get one that does.
func (f *Finder) Open(spec Spec, driver Version, accept func(*Library) error) (*Library, error) {
	var refused []error
	for _, c := range f.Candidates(spec) {
		if major := c.Major(); driver.Major > 0 && major > driver.Major && !spec.Driver && spec.perRelease {
			refused = append(refused, fmt.Errorf("%s is for CUDA %d, the driver is for CUDA %s", c.Path, major, driver))
			continue
		}
		l, err := load(c, f.soname)
		if err == nil && accept != nil {
			err = accept(l)
		}
		if err == nil {
			return l, nil
		}
		refused = append(refused, err)
	}
	hint := spec.Install(driver)
	if len(refused) == 0 {
		return nil, fault.New(fault.Unsupported, "%s (%s) was not found: looked for %s in %d folders",
			spec.Name, spec.Purpose, strings.Join(spec.Sonames, " and "), len(f.Folders)).WithHint("%s", hint)
	}
	return nil, fault.New(fault.Unsupported, "no %s that was found can be used: %w", spec.Name, errors.Join(refused...)).WithHint("%s", hint)
}
