package dl

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// loaderCache stands as a folder's path for what the loader's cache lists.
const loaderCache = "/etc/ld.so.cache"

// A System is the machine that is searched.
type System struct {
	// Root is put before every absolute path that is not named by the environment;
	// empty on a real machine.
	Root string
	// Getenv reads an environment variable.
	Getenv func(name string) string
	// Extra are folders, folders of a toolkit, or libraries, that the user names;
	// they come first.
	Extra []string
}

// Host is this machine, with the environment of this process.
func Host() System { return System{Getenv: os.Getenv} }

// Finder lists the folders of the system, in the order in which they are searched:
//
//  1. what the user names in Extra;
//  2. LD_LIBRARY_PATH, CUDA_HOME and CUDA_PATH, CONDA_PREFIX and VIRTUAL_ENV;
//  3. the loader's cache and its default folders, and where containers, WSL and
//     NixOS keep the driver;
//  4. toolkits in /usr/local and /opt, the one that /usr/local/cuda points to first;
//  5. nvidia-* packages of the Pythons on PATH and in the home folder.
func (s System) Finder() *Finder {
	f := &folders{system: s, seen: map[string]bool{}}
	for _, place := range s.Extra {
		if fileExists(place) {
			place = filepath.Dir(place)
		}
		f.named(place, "named by the user")
	}
	for _, folder := range filepath.SplitList(s.Getenv("LD_LIBRARY_PATH")) {
		f.add(folder, "LD_LIBRARY_PATH")
	}
	for _, name := range []string{"CUDA_HOME", "CUDA_PATH", "CONDA_PREFIX"} {
		if folder := s.Getenv(name); folder != "" {
			f.named(folder, name)
		}
	}
	for _, name := range []string{"CONDA_PREFIX", "VIRTUAL_ENV"} {
		if folder := s.Getenv(name); folder != "" {
			f.python(folder, name)
		}
	}
	f.loader()
	f.toolkits()
	f.pythons()
	return &Finder{Folders: f.list, cached: f.cached}
}

// folders collects a Finder's folders.
type folders struct {
	system System
	list   []Folder
	cached map[string][]string
	seen   map[string]bool
}

// at is a path of the system.
func (f *folders) at(path string) string { return filepath.Join(f.system.Root, path) }

func (f *folders) add(path, why string) { f.put(Folder{Path: path, Why: why}) }

func (f *folders) put(folder Folder) {
	if !filepath.IsAbs(folder.Path) {
		return // a library is never taken from the working directory
	}
	info, err := os.Stat(folder.Path)
	if err != nil || !info.IsDir() {
		return
	}
	key := folder.Path
	if resolved, err := filepath.EvalSymlinks(key); err == nil {
		key = resolved
	}
	if folder.driver {
		key += " driver"
	}
	if !f.seen[key] {
		f.seen[key] = true
		f.list = append(f.list, folder)
	}
}

// named adds a folder that is a toolkit's or has libraries itself.
func (f *folders) named(folder, why string) {
	f.toolkit(folder, why)
	f.add(folder, why)
}

// toolkit adds the places of libraries in a toolkit.
func (f *folders) toolkit(folder, why string) {
	target := "x86_64-linux"
	if runtime.GOARCH == "arm64" {
		target = "sbsa-linux"
	}
	for _, sub := range []string{"lib64", "lib", filepath.Join("targets", target, "lib")} {
		f.add(filepath.Join(folder, sub), why)
	}
}

func (f *folders) loader() {
	if cached, err := readLoaderCache(f.at(loaderCache)); err == nil {
		if f.system.Root != "" {
			for _, paths := range cached {
				for i := range paths {
					paths[i] = f.at(paths[i])
				}
			}
		}
		f.cached = cached
		f.list = append(f.list, Folder{Path: loaderCache, Why: "the loader's cache"})
	}
	triple := "x86_64-linux-gnu"
	if runtime.GOARCH == "arm64" {
		triple = "aarch64-linux-gnu"
	}
	for _, folder := range []string{"/lib64", "/usr/lib64", "/lib/" + triple, "/usr/lib/" + triple, "/lib", "/usr/lib"} {
		f.add(f.at(folder), "the loader's default folders")
	}
	for _, folder := range []string{
		"/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/wsl/lib", "/run/opengl-driver/lib",
		"/usr/lib/" + triple + "/nvidia/current", "/usr/lib64/nvidia",
	} {
		f.put(Folder{Path: f.at(folder), Why: "where systems keep the driver", driver: true})
	}
}

// toolkits adds the toolkits that are installed in their default places.
func (f *folders) toolkits() {
	for _, folder := range []string{"/usr/local/cuda", "/opt/cuda"} {
		f.toolkit(f.at(folder), folder)
	}
	found, err := filepath.Glob(f.at("/usr/local/cuda-*"))
	if err != nil {
		return
	}
	slices.SortFunc(found, func(a, b string) int { return compareVersions(filepath.Base(b), filepath.Base(a)) })
	for _, folder := range found {
		f.toolkit(folder, strings.TrimPrefix(folder, f.system.Root))
	}
}

// compareVersions orders names that end in -NUMBER.NUMBER… by these numbers, and
// other names before them.
func compareVersions(a, b string) int {
	numbers := func(name string) []int {
		_, version, _ := strings.Cut(name, "-")
		var out []int
		for part := range strings.SplitSeq(version, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				return nil
			}
			out = append(out, n)
		}
		return out
	}
	return slices.Compare(numbers(a), numbers(b))
}
