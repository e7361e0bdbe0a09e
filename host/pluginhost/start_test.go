package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/logger"
)

func TestStart(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	d, err := proc.Logger().Describe(testContext(t))
	if err != nil || d.Name != "bad" || d.Rewind != logger.Keep {
		t.Fatalf("got %+v, %v", d, err)
	}
	if proc.Kernels() != nil || proc.Model() != nil {
		t.Error("a logger is taken for something else")
	}
	if proc.PID() == os.Getpid() || proc.ExitError() != nil {
		t.Errorf("process %d, %v", proc.PID(), proc.ExitError())
	}
}

func TestStartFails(t *testing.T) {
	tests := []struct {
		folder string
		want   []string // in the error
	}{
		{"logger-dies", []string{"plugin logger-dies did not start", "exited with status 1", "cannot find the licence"}},
		{"logger-library", []string{"exited with status 127", "libmissing.so.1: cannot open shared object file"}},
		{"logger-panics", []string{"exited with status 2", "panic: no licence"}},
		{"logger-old", []string{"speaks version 0 of hone's protocol, this hone speaks 1"}},
		{"logger-new", []string{"speaks version 2 of hone's protocol, this hone speaks 1"}},
		{"logger-netrpc", []string{"unsupported plugin protocol"}},
	}
	for _, tt := range tests {
		t.Run(tt.folder, func(t *testing.T) {
			proc, err := Start(testContext(t), bad(t, tt.folder), Options{})
			if err == nil {
				t.Fatal("it started", proc.Close(context.Background()))
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestStartFailsTyped(t *testing.T) {
	_, err := Start(testContext(t), bad(t, "logger-old"), Options{})
	var protocol *ProtocolError
	if !errors.As(err, &protocol) || protocol.Theirs != "0" || !errors.Is(err, fault.Unsupported) || fault.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	_, err = Start(testContext(t), bad(t, "logger-dies"), Options{})
	var exited *ExitedError
	if !errors.As(err, &exited) || exited.Code != 1 || exited.Plugin != "logger-dies" || exited.PID == 0 || exited.Closed {
		t.Errorf("got %#v", err)
	}
}

func TestStartOfWhatIsNoPlugin(t *testing.T) {
	truth, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("\x7fELF but not really"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path, want string
	}{
		{"a program that ends", truth, "exited with status 0"},
		{"a script without its interpreter", script, "needs a loader or an interpreter"},
		{"not a program", text, "is no program for this system"},
		{"a folder", t.TempDir(), "permission denied"},
		{"nothing", filepath.Join(t.TempDir(), "absent"), "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Start(testContext(t), Plugin{Kind: "logger", Name: "x", Path: tt.path}, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestStartOfSilentPlugin(t *testing.T) {
	p := bad(t, "logger-silent")
	_, err := Start(testContext(t), p, Options{StartTimeout: 500 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "no answer within 500ms; it last said: waiting for a licence server") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, err = Start(ctx, p, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(testContext(t))
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err = Start(ctx, p, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestChecksum(t *testing.T) {
	p := bad(t, "logger-good")
	var err error
	if p.Checksum, err = Checksum(p.Path); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a hash that is used twice refuses the second start
		mustStart(t, p, Options{})
	}
	p.Checksum = slices.Clone(p.Checksum)
	p.Checksum[0] ^= 1
	_, err = Start(testContext(t), p, Options{})
	var mismatch *ChecksumError
	if !errors.As(err, &mismatch) || mismatch.Path != p.Path || !strings.Contains(err.Error(), fmt.Sprintf("%x", p.Checksum)) {
		t.Errorf("got %v", err)
	}
}

func TestNoiseBeforeTheHandshake(t *testing.T) {
	var log logBuffer
	proc := mustStart(t, bad(t, "logger-noise"), Options{Logger: log.logger()})
	if _, err := open(testContext(t), proc, "", ""); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); !strings.Contains(got, "a banner") || !strings.Contains(got, "noise noise") || strings.Contains(got, "|unix|") {
		t.Errorf("the log is %.300q", got)
	}
}

func TestEnvironmentOfAPlugin(t *testing.T) {
	t.Setenv("WANDB_API_KEY", "secret")
	t.Setenv("HONE_VAR_TOKEN", "secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("CUDA_VISIBLE_DEVICES", "3")
	t.Setenv("LC_ALL", "C")
	t.Setenv("OTHER", "secret")
	proc := mustStart(t, bad(t, "logger-good"), Options{Env: []string{"OTHER=granted"}})
	opened, err := open(testContext(t), proc, "environment", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CUDA_VISIBLE_DEVICES=3", "LC_ALL=C", "OTHER=granted", "PATH=" + os.Getenv("PATH")} {
		if !slices.Contains(opened.Notes, want) {
			t.Errorf("%s is not there", want)
		}
	}
	for _, entry := range opened.Notes {
		if strings.Contains(entry, "secret") {
			t.Errorf("%s is there", entry)
		}
	}
}

func TestStandardInputIsEmpty(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	opened, err := open(testContext(t), proc, "stdin", "")
	if err != nil || opened.Notes[0] != "0 EOF" {
		t.Errorf("got %v, %v", opened, err)
	}
}

func TestLongTemporaryFolder(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	if err := os.Mkdir(long, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	if _, err := proc.Logger().Describe(testContext(t)); err != nil {
		t.Error(err)
	}
	if _, _, err := socketFolder([]string{long, "/nonexistent"}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("got %v", err)
	}
}

func TestSocketFolderIsPrivateAndRemoved(t *testing.T) {
	proc := mustStart(t, bad(t, "logger-good"), Options{})
	sockets, _ := filepath.Glob(filepath.Join(proc.folder, "*", "plugin*"))
	if len(sockets) != 1 || len(sockets[0]) > socketPathLimit {
		t.Errorf("sockets %v", sockets)
	}
	info, err := os.Stat(proc.folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := proc.Close(testContext(t)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(proc.folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", proc.folder, err)
	}
}

func TestFailedStartsLeaveNothing(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	if len(temp)+socketPathTail > socketPathLimit {
		t.Fatalf("%s is too long to test with", temp)
	}
	for _, folder := range []string{"logger-dies", "logger-old", "logger-netrpc"} {
		if _, err := Start(testContext(t), bad(t, folder), Options{}); err == nil {
			t.Fatal("it started")
		}
	}
	left, err := os.ReadDir(temp)
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// BenchmarkStart is a plugin's start, checksum included, until it answers, and its end.
func BenchmarkStart(b *testing.B) {
	dir := b.TempDir()
	install(b, dir, "logger-good")
	p := Discover([]Directory{{Path: dir}}).Plugins[0]
	var err error
	if p.Checksum, err = Checksum(p.Path); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		proc, err := Start(b.Context(), p, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := proc.Logger().Describe(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := proc.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
