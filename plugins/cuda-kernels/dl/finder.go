package dl

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A Folder is a place to look in, and why.
type Folder struct {
	Path string
	Why  string // "LD_LIBRARY_PATH", "CUDA_HOME", "python package of /opt/venv", …

	driver bool // holds the driver's libraries, or any
	python string
}

// A Finder looks for libraries in its folders, in order: the first folder that has
// one wins, whatever its version.
type Finder struct {
	Folders []Folder
	// cached is what the loader's cache says, soname to paths.
	cached map[string][]string
}

// A Candidate is a library file that was found and is made for this machine.
type Candidate struct {
	Path    string
	Why     string // the folder's
	Version string // of the package, as far as files tell: "13.2.86"; may be empty
	needs   []string
	beside  []string
}

// Major is the number after .so. of the name under which it was found, 0 for none.
func (c Candidate) Major() int {
	_, after, ok := strings.Cut(filepath.Base(c.Path), ".so.")
	if !ok {
		return 0
	}
	number, _, _ := strings.Cut(after, ".")
	major, err := strconv.Atoi(number)
	if err != nil {
		return 0
	}
	return major
}

// Candidates are the files that could serve as spec, best first. None of their code
// runs. Files for another processor, and those that are no shared library, are left
// out.
func (f *Finder) Candidates(spec Spec) []Candidate {
	var out []Candidate
	seen := map[string]bool{}
	add := func(path, why, python string) {
		c, ok := f.candidate(spec, path, why, python)
		if !ok {
			return
		}
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			resolved = path
		}
		if !seen[resolved] {
			seen[resolved] = true
			out = append(out, c)
		}
	}
	for _, folder := range f.Folders {
		if spec.Driver && folder.python != "" || !spec.Driver && folder.driver {
			continue
		}
		for _, soname := range spec.Sonames {
			if folder.Path != loaderCache {
				add(filepath.Join(folder.Path, soname), folder.Why, folder.python)
				continue
			}
			for _, path := range f.cached[soname] {
				add(path, folder.Why, "")
			}
		}
	}
	return out
}

func (f *Finder) candidate(spec Spec, path, why, python string) (Candidate, bool) {
	if !fileExists(path) {
		return Candidate{}, false
	}
	needs, ok := readShared(path)
	if !ok {
		return Candidate{}, false
	}
	c := Candidate{Path: path, Why: why, needs: needs}
	for _, pattern := range spec.Companions {
		c.beside = append(c.beside, companions(path, pattern)...)
	}
	c.Version = fileVersion(path)
	if python != "" && !strings.Contains(c.Version, ".") {
		if v := distVersion(python, spec.pip); v != "" {
			c.Version = v
		}
	}
	return c, true
}

// companions are the files beside path that fit pattern and have its major version.
func companions(path, pattern string) []string {
	folders := []string{filepath.Dir(path)}
	if resolved, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(resolved) != folders[0] {
		folders = append(folders, filepath.Dir(resolved))
	}
	major := Candidate{Path: path}.Major()
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			continue
		}
		found = slices.DeleteFunc(found, func(p string) bool {
			return strings.Contains(p, ".alt.") || Candidate{Path: p}.Major() != major
		})
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// MissingCompanions are the patterns of spec for which nothing lies beside the
// candidate.
func (c Candidate) MissingCompanions(spec Spec) []string {
	var out []string
	for _, pattern := range spec.Companions {
		fits := func(p string) bool {
			ok, err := filepath.Match(pattern, filepath.Base(p))
			return ok && err == nil
		}
		if !slices.ContainsFunc(c.beside, fits) {
			out = append(out, pattern)
		}
	}
	return out
}

// preload are the files to open before the candidate: its companions, which it
// would look for by name alone, and NVIDIA's libraries that it is linked with and
// that do not lie on the loader's path.
func (c Candidate) preload(search func(soname string) string) []string {
	out := slices.Clone(c.beside)
	for _, soname := range c.needs {
		if !strings.HasPrefix(soname, "libcu") && !strings.HasPrefix(soname, "libnv") {
			continue
		}
		if path := filepath.Join(filepath.Dir(c.Path), soname); fileExists(path) {
			out = append(out, path)
		} else if search != nil {
			if path := search(soname); path != "" {
				out = append(out, path)
			}
		}
	}
	return out
}

// soname is the first file of that name in the folders, or "".
func (f *Finder) soname(name string) string {
	for _, folder := range f.Folders {
		if folder.Path == loaderCache {
			continue // the loader finds it itself
		}
		path := filepath.Join(folder.Path, name)
		if !fileExists(path) {
			continue
		}
		if _, ok := readShared(path); ok {
			return path
		}
	}
	return ""
}

func fileExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// fileVersion is what follows .so. in the name of the file behind links.
func fileVersion(path string) string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	_, version, _ := strings.Cut(filepath.Base(path), ".so.")
	return version
}
