package dl

import (
	"path/filepath"
	"slices"
	"strings"
)

// pip's nvidia-* packages lie in a Python's site-packages: since CUDA 13 all in
// nvidia/cu13/lib, before in nvidia/PACKAGE/lib, and their versions in the names of
// *.dist-info folders.

// python adds the packages of the Python whose prefix this is.
func (f *folders) python(prefix, why string) {
	for _, pattern := range []string{
		"lib/python3*/site-packages", "lib64/python3*/site-packages",
		"local/lib/python3*/dist-packages", "lib/python3*/dist-packages",
	} {
		f.sitePackages(filepath.Join(prefix, pattern), why)
	}
}

func (f *folders) sitePackages(pattern, why string) {
	found, err := filepath.Glob(pattern)
	if err != nil {
		return
	}
	slices.SortFunc(found, func(a, b string) int { return comparePythons(b, a) })
	for _, site := range found {
		packages, err := filepath.Glob(filepath.Join(site, "nvidia", "*", "lib"))
		if err != nil {
			continue
		}
		slices.SortStableFunc(packages, comparePackages)
		for _, folder := range packages {
			f.put(Folder{Path: folder, Why: why, python: site})
		}
	}
}

// comparePythons orders .../python3.9/site-packages before .../python3.12/….
func comparePythons(a, b string) int {
	name := func(path string) string {
		return strings.Replace(filepath.Base(filepath.Dir(path)), "python", "python-", 1)
	}
	return compareVersions(name(a), name(b))
}

// comparePackages puts the folders of a whole CUDA version, the newest first,
// before those of single packages.
func comparePackages(a, b string) int {
	rank := func(path string) string {
		name := filepath.Base(filepath.Dir(path))
		if number, ok := strings.CutPrefix(name, "cu"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
			return number
		}
		return ""
	}
	return strings.Compare(rank(b), rank(a))
}

// pythons adds the packages of every Python on PATH, of pyenv's, and those that
// pip installed for the user. No Python is run.
func (f *folders) pythons() {
	for _, folder := range filepath.SplitList(f.system.Getenv("PATH")) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if filepath.Base(folder) == "shims" { // pyenv: scripts that pick a version
			versions, err := filepath.Glob(filepath.Join(filepath.Dir(folder), "versions", "*"))
			if err != nil {
				continue
			}
			slices.SortFunc(versions, func(a, b string) int { return strings.Compare(b, a) })
			for _, prefix := range versions {
				f.python(prefix, "Python in "+prefix)
			}
			continue
		}
		for _, name := range []string{"python3", "python"} {
			program := filepath.Join(folder, name)
			if !fileExists(program) {
				continue
			}
			f.python(filepath.Dir(folder), "Python in "+filepath.Dir(folder))
			if resolved, err := filepath.EvalSymlinks(program); err == nil {
				prefix := filepath.Dir(filepath.Dir(resolved))
				f.python(prefix, "Python in "+prefix)
			}
		}
	}
	if home := f.system.Getenv("HOME"); home != "" {
		f.sitePackages(filepath.Join(home, ".local/lib/python3*/site-packages"), "pip install --user")
	}
}

// distVersion is the version of a package in site-packages, with or without a
// suffix -cuNN, or "".
func distVersion(site, name string) string {
	base := strings.ReplaceAll(name, "-", "_")
	for _, pattern := range []string{base + "-*.dist-info", base + "_cu*-*.dist-info"} {
		found, err := filepath.Glob(filepath.Join(site, pattern))
		if err != nil || len(found) == 0 {
			continue
		}
		rest := strings.TrimSuffix(filepath.Base(found[0]), ".dist-info")
		if _, version, ok := strings.Cut(rest, "-"); ok {
			return version
		}
	}
	return ""
}
