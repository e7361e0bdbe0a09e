//go:build unix

package pluginhost

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/plugin"
)

func TestExamine(t *testing.T) {
	t.Setenv("SECRET_TOKEN", "hunter2")
	t.Setenv("CUDA_VISIBLE_DEVICES", "3")
	tests := []struct {
		name, script string
		report       string
		healthy      bool
		say          string // in the error; "": there is none
	}{
		{"well", `echo "all is well with $1 $2"`, "all is well with doctor /opt/lib\n", true, ""},
		{"unwell", "echo no driver; exit 1", "no driver\n", false, ""},
		{"the environment is a plugin's", `echo "$CUDA_VISIBLE_DEVICES$SECRET_TOKEN"`, "3\n", true, ""},
		{"silent", "echo broken >&2; exit 1", "", false, "exit status 1: broken"},
		{"dies", "echo begun; kill -9 $$", "begun\n", false, "killed"},
		{"another code", "echo begun; exit 3", "begun\n", false, "exit status 3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), Prefix+"cuda-kernels")
			if err := os.WriteFile(path, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			p := Plugin{Kind: plugin.Kernels, Name: "cuda", Path: path}
			report, healthy, err := Examine(t.Context(), p, []string{"/opt/lib"})
			if report != tt.report || healthy != tt.healthy {
				t.Errorf("got %q, %v, want %q, %v", report, healthy, tt.report, tt.healthy)
			}
			if got := errorText(err); (tt.say == "") != (got == "") || !strings.Contains(got, tt.say) {
				t.Errorf("the error is %q, want one that says %q", got, tt.say)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestExamineStops(t *testing.T) {
	path := filepath.Join(t.TempDir(), Prefix+"cuda-kernels")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, healthy, err := Examine(ctx, Plugin{Kind: plugin.Kernels, Name: "cuda", Path: path}, nil)
	if healthy || !strings.Contains(errorText(err), "cuda-kernels does not come to an end") {
		t.Errorf("got %v, %v", healthy, err)
	}
}
