package dl

import "fmt"

// A Spec is a library that hone knows: its names, and the packages that bring it.
type Spec struct {
	Name       string   // as users say it: "NVRTC"
	Purpose    string   // what hone needs it for, for a report
	Sonames    []string // what it may be called, the newest first
	Companions []string // patterns of further files that must lie beside it
	Optional   bool     // hone runs without it
	Driver     bool     // part of the driver, in no toolkit and no Python package

	pip   string // the Python package; pipSuffix says how CUDA's version is added
	apt   string // the package of NVIDIA's apt and dnf repositories
	conda string
	// perRelease: apt's name goes on with CUDA's version, as in cuda-nvrtc-13-0.
	perRelease bool
	// pipSuffixed: pip's name goes on with -cu and CUDA's major version always;
	// otherwise for CUDA 12 alone.
	pipSuffixed bool
}

// Driver is CUDA's driver, which comes with the kernel module and not with a
// toolkit.
var Driver = Spec{
	Name:    "CUDA driver",
	Purpose: "runs kernels on the GPU",
	Sonames: []string{"libcuda.so.1"},
	Driver:  true,
}

// Management is the management library that comes with the driver.
var Management = Spec{
	Name:     "NVML",
	Purpose:  "tells memory of this process from that of others",
	Sonames:  []string{"libnvidia-ml.so.1"},
	Optional: true,
	Driver:   true,
}

// NVRTC is the compiler of CUDA C++ at run time.
var NVRTC = Spec{
	Name:       "NVRTC",
	Purpose:    "compiles hone's kernels for the GPU",
	Sonames:    []string{"libnvrtc.so.13", "libnvrtc.so.12"},
	Companions: []string{"libnvrtc-builtins.so.*"},
	pip:        "nvidia-cuda-nvrtc", apt: "cuda-nvrtc", conda: "cuda-nvrtc", perRelease: true,
}

// CublasLt is cuBLASLt, the matrix products.
var CublasLt = Spec{
	Name:    "cuBLASLt",
	Purpose: "matrix products",
	Sonames: []string{"libcublasLt.so.13", "libcublasLt.so.12"},
	pip:     "nvidia-cublas", apt: "libcublas", conda: "libcublas", perRelease: true,
}

// NCCL is the reduction of gradients between GPUs.
var NCCL = Spec{
	Name:     "NCCL",
	Purpose:  "training on several GPUs",
	Sonames:  []string{"libnccl.so.2"},
	Optional: true,
	pip:      "nvidia-nccl", apt: "libnccl2", conda: "nccl", pipSuffixed: true,
}

// Install is how to get the library for a driver of this CUDA version: 0 where it
// is unknown.
func (s Spec) Install(cuda Version) string {
	if s.Driver {
		return "install NVIDIA's driver, 525 or newer: apt install nvidia-driver-580 on Ubuntu, cuda-drivers from NVIDIA's repository elsewhere; " +
			"in a container, start it with --gpus all and the NVIDIA Container Toolkit"
	}
	major, release := 13, "13-0"
	if cuda.Major == 12 {
		major, release = 12, fmt.Sprintf("12-%d", cuda.Minor)
	}
	pip, apt := s.pip, s.apt
	if s.pipSuffixed || major == 12 {
		pip = fmt.Sprintf("%s-cu%d", pip, major)
	}
	if s.perRelease {
		apt += "-" + release
	}
	return fmt.Sprintf("pip install %s, or apt install %s from NVIDIA's repository, or conda install -c nvidia %s", pip, apt, s.conda)
}

// A Version is major and minor of CUDA, of a driver's or a library's interface.
type Version struct{ Major, Minor int }

// VersionOf takes NVIDIA's number apart: 13020 is 13.2.
func VersionOf(number int) Version { return Version{number / 1000, number % 1000 / 10} }

// String is the version as it is written: "13.2".
func (v Version) String() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// Less reports whether v is older than w.
func (v Version) Less(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}
