package gpu_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/honeml/hone/host/gpu"
)

func TestLook(t *testing.T) {
	tests := []struct {
		name  string
		os    string
		files []string
		env   map[string]string
		found bool
		why   string
	}{
		{"a GPU", "linux", []string{"dev/null", "dev/nvidia0", "dev/nvidiactl"}, nil, true, ""},
		{"a later GPU alone, as a container may have it", "linux", []string{"dev/nvidia3"}, nil, true, ""},
		{"the control device alone", "linux", []string{"dev/nvidiactl", "dev/nvidia-uvm"}, nil, false, "no NVIDIA GPU"},
		{"nothing", "linux", nil, nil, false, "no NVIDIA GPU"},
		{"WSL", "linux", []string{"dev/dxg", "usr/lib/wsl/lib/libcuda.so.1"}, nil, true, ""},
		{"WSL with another maker's GPU", "linux", []string{"dev/dxg"}, nil, false, "no NVIDIA GPU"},
		{"hidden", "linux", []string{"dev/nvidia0"}, map[string]string{"CUDA_VISIBLE_DEVICES": "-1"}, false, "CUDA_VISIBLE_DEVICES=-1 hides the GPU"},
		{"the second alone", "linux", []string{"dev/nvidia0"}, map[string]string{"CUDA_VISIBLE_DEVICES": "1,-1"}, true, ""},
		{"Windows", "windows", []string{"System32/nvcuda.dll"}, map[string]string{"SystemRoot": "ROOT"}, true, ""},
		{"Windows without a driver", "windows", nil, map[string]string{"SystemRoot": "ROOT"}, false, "no NVIDIA GPU"},
		{"a Mac", "darwin", []string{"dev/nvidia0"}, nil, false, "no NVIDIA GPU"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			for _, f := range tt.files {
				path := filepath.Join(root, filepath.FromSlash(f))
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			m := gpu.Machine{OS: tt.os, Root: root, Getenv: func(name string) string {
				if tt.env[name] == "ROOT" {
					return root
				}
				return tt.env[name]
			}}
			if found, why := m.Look(); found != tt.found || why != tt.why {
				t.Errorf("got %v, %q, want %v, %q", found, why, tt.found, tt.why)
			}
		})
	}
}
