// Package gpu tells, without starting anything, whether a machine looks as if it had
// an NVIDIA GPU that programs may use. It reads names of files alone; whether the GPU
// can be trained on is for the kernels plugin to find out.
package gpu

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A Machine is where is looked.
type Machine struct {
	OS     string // as in GOOS
	Root   string // the folder that stands for the root of the file system
	Getenv func(string) string
}

// Here is this machine.
func Here() Machine { return Machine{OS: runtime.GOOS, Root: "/", Getenv: os.Getenv} }

// The variable with which CUDA hides GPUs from a program.
const visible = "CUDA_VISIBLE_DEVICES"

// Look reports whether there seems to be a GPU and, where not, why: "no NVIDIA GPU".
func (m Machine) Look() (found bool, why string) {
	if !m.present() {
		return false, "no NVIDIA GPU"
	}
	if value, hidden := m.hidden(); hidden {
		return false, visible + "=" + value + " hides the GPU"
	}
	return true, ""
}

// deviceName is a GPU's device file, numbered from 0.
var deviceName = regexp.MustCompile(`^nvidia[0-9]+$`)

func (m Machine) present() bool {
	switch m.OS {
	case "linux":
		entries, err := os.ReadDir(filepath.Join(m.Root, "dev"))
		if err != nil {
			return false
		}
		for _, e := range entries {
			// On WSL the GPU is behind Windows' device, and so may be another maker's.
			if deviceName.MatchString(e.Name()) || e.Name() == "dxg" && m.exists("usr/lib/wsl/lib/libcuda.so.1") {
				return true
			}
		}
	case "windows":
		if folder := m.Getenv("SystemRoot"); folder != "" {
			_, err := os.Stat(filepath.Join(folder, "System32", "nvcuda.dll"))
			return err == nil
		}
	}
	return false
}

func (m Machine) exists(path string) bool {
	_, err := os.Stat(filepath.Join(m.Root, filepath.FromSlash(path)))
	return err == nil
}

// hidden reports whether no GPU is left: CUDA takes those before the first that is
// not one, such as -1.
func (m Machine) hidden() (value string, hidden bool) {
	value = m.Getenv(visible)
	first, _, _ := strings.Cut(value, ",")
	return value, strings.HasPrefix(strings.TrimSpace(first), "-")
}
