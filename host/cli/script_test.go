//go:build unix

package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/honeml/hone/host/cli"
	"github.com/honeml/hone/host/gpu"
	"github.com/honeml/hone/test/binaries"
)

// quickstart is the example whose model and data the scripts use.
const quickstart = "../../examples/quickstart"

// built is the folder of the plugins that run anywhere, builtCUDA that of the GPU's and
// builtMixtral that of a model with experts.
var built, builtCUDA, builtMixtral string

// TestMain makes the test binary the program that scripts call hone, and builds
// the plugins.
func TestMain(m *testing.M) {
	testscript.Main(withPlugins{m}, map[string]func(){"hone": func() { os.Exit(hone()) }})
}

func hone() int {
	streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	if root := os.Getenv("HONE_TEST_ROOT"); root != "" {
		machine := gpu.Machine{OS: "linux", Root: root, Getenv: func(string) string { return "" }}
		return cli.MainOn(context.Background(), machine, os.Args[1:], streams)
	}
	return cli.Main(context.Background(), os.Args[1:], streams, "test", make(chan struct{}))
}

// withPlugins builds the plugins, runs the tests and removes what was built.
type withPlugins struct{ *testing.M }

// Run is the exit code.
func (m withPlugins) Run() int {
	for _, b := range []struct {
		folder *string
		names  []string
	}{{&built, binaries.Everywhere()}, {&builtCUDA, []string{"cuda-kernels"}}, {&builtMixtral, []string{"model-mixtral"}}} {
		var err error
		if *b.folder, err = binaries.Build(context.Background(), b.names...); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(*b.folder)
	}
	return m.M.Run()
}

var update = flag.Bool("update", false, "write what commands say into the scripts")

// TestScripts runs testdata/script: what hone says and answers, message by message.
// A script begins in a folder with the example's model and some of its lessons.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Setup:               setup,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "publish": publish, "keygen": keygen, "mixture": mixture,
		},
	})
}

// lessons is how many of the example's documents scripts train on.
const lessons = 48

func setup(env *testscript.Env) error {
	model, err := filepath.Abs(filepath.Join(quickstart, "model"))
	if err != nil {
		return err
	}
	data, err := os.ReadFile(filepath.Join(quickstart, "lessons.jsonl"))
	if err != nil {
		return err
	}
	data = bytes.Join(bytes.SplitAfter(data, []byte{'\n'})[:lessons], nil)
	if err := os.WriteFile(filepath.Join(env.WorkDir, "lessons.jsonl"), data, 0o644); err != nil {
		return err
	}
	// What plugins say of themselves is kept for all scripts.
	env.Setenv("HONE_CACHE_DIR", filepath.Join(built, "cache"))
	env.Setenv("HONE_PLUGIN_DIR", built)
	env.Setenv("PLUGINS", built)
	env.Setenv("CUDA_PLUGIN", builtCUDA)
	env.Setenv("MIXTRAL_PLUGIN", builtMixtral)
	env.Setenv("HONE_KERNELS", "cpu") // the same on a machine with a GPU
	env.Setenv("HF_HOME", filepath.Join(env.WorkDir, "hf"))
	env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
	env.Setenv("MODEL", model)
	sdk, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	env.Setenv("SDK", sdk)
	return os.Symlink(model, filepath.Join(env.WorkDir, "model"))
}

// exits runs a program, which has to end with an exit code:
//
//	exits 2 hone validate run.hcl
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exited := (*exec.ExitError)(nil); errors.As(err, &exited) {
		got = exited.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
