package dl

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tr := newTree(t)
	tr.libraries("usr/lib64/libcuda.so.580.159.04", "usr/local/cuda/lib64/libnvrtc.so.13")
	tr.link("libcuda.so.580.159.04", "usr/lib64/libcuda.so.1")
	tr.write("proc/driver/nvidia/version", []byte("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (x)  Tue\nGCC version:  gcc\n"))
	tr.write("dev/nvidia0", nil)
	tr.write("dev/nvidiactl", nil)
	s := tr.system()
	r := s.Finder().Report(s.KernelModule(), Version{13, 0}, Driver, NVRTC, CublasLt, NCCL)
	if r.OK() {
		t.Error("the report finds nothing wrong")
	}
	r.Items[1].Problem = "it does not know sm_120"
	var text strings.Builder
	n, err := r.WriteTo(&text)
	if err != nil || n != int64(text.Len()) {
		t.Fatalf("%d bytes of %d, %v", n, text.Len(), err)
	}
	got := strings.ReplaceAll(text.String(), tr.root, "")
	want := `kernel module    580.159.04  /dev/nvidia0 /dev/nvidiactl
CUDA driver      580.159.04  /usr/lib64/libcuda.so.1 (the loader's default folders)
NVRTC            13          /usr/local/cuda/lib64/libnvrtc.so.13 (/usr/local/cuda)
cuBLASLt         missing     libcublasLt.so.13, libcublasLt.so.12
NCCL (optional)  missing     libnccl.so.2
NVRTC: it does not know sm_120
NVRTC: libnvrtc-builtins.so.* does not lie beside it
NVRTC: pip install nvidia-cuda-nvrtc, or apt install cuda-nvrtc-13-0 from NVIDIA's repository, or conda install -c nvidia cuda-nvrtc
cuBLASLt: pip install nvidia-cublas, or apt install libcublas-13-0 from NVIDIA's repository, or conda install -c nvidia libcublas
NCCL: pip install nvidia-nccl-cu13, or apt install libnccl2 from NVIDIA's repository, or conda install -c nvidia nccl
searched 2 folders:
  /usr/lib64 (the loader's default folders)
  /usr/local/cuda/lib64 (/usr/local/cuda)
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestReportOfAContainerWithoutTheDriversLibrary(t *testing.T) {
	tr := newTree(t)
	tr.write("proc/driver/nvidia/version", []byte("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue\n"))
	s := tr.system()
	r := s.Finder().Report(s.KernelModule(), Version{}, Driver)
	if r.Kernel.Version != "535.54.03" || !strings.Contains(r.Items[0].Hint, "--gpus all") || !strings.Contains(r.Items[0].Hint, "535.54.03") {
		t.Errorf("got module %q, hint %q", r.Kernel.Version, r.Items[0].Hint)
	}
}

func TestReportWithEverything(t *testing.T) {
	tr := newTree(t)
	tr.libraries("usr/lib64/libcuda.so.1", "usr/lib64/libnvrtc.so.13", "usr/lib64/libnvrtc-builtins.so.13.2", "usr/lib64/libcublasLt.so.13")
	r := tr.system().Finder().Report(KernelModule{}, Version{}, Driver, NVRTC, CublasLt, NCCL)
	var text strings.Builder
	if _, err := r.WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	if !r.OK() || strings.Contains(text.String(), "searched") {
		t.Errorf("what is optional counts as wrong:\n%s", text.String())
	}
}
