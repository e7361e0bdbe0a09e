//go:build unix

package stranger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugintest"
	"github.com/honeml/hone/test/binaries"
)

// quickstart is the example whose tokenizer and data the runs use.
const quickstart = "../../examples/quickstart"

// binary is the file name of the stranger's plugin.
const binary = "hone-plugin-model-apertus"

// A desk is a stranger's: hone as it was installed, and a folder outside the repo.
type desk struct {
	dir  string
	hone string // the program, in a folder with the plugins that come with it
	env  []string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no Go here to build a plugin with")
	}
	installed, err := binaries.Build(t.Context(), binaries.Hone, binaries.Kernels()+"-kernels")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(installed) })
	d := &desk{dir: t.TempDir(), hone: filepath.Join(installed, binaries.Hone)}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "HONE_") && !strings.HasPrefix(entry, "HF_") && !strings.HasPrefix(entry, "XDG_") {
			d.env = append(d.env, entry)
		}
	}
	d.env = append(d.env, "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly", "CGO_ENABLED=0",
		"HONE_CACHE_DIR="+filepath.Join(d.dir, "cache"), "XDG_DATA_HOME="+filepath.Join(d.dir, "data"), "HF_HOME="+filepath.Join(d.dir, "hf"))
	return d
}

// do runs a program in a folder of the desk and gives what it says; it has to succeed.
func (d *desk) do(t *testing.T, folder, program string, args ...string) string {
	t.Helper()
	output, err := d.try(t, folder, program, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", program, args, err, output)
	}
	return output
}

// try is do for a program that may fail.
func (d *desk) try(t *testing.T, folder, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = filepath.Join(d.dir, folder), d.env
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestStranger begins the plugin, writes Apertus into it, builds it, holds it to its
// goldens and to hone's rules, publishes it, has hone install it from there, trains a
// model with it, and tampers with it.
func TestStranger(t *testing.T) {
	d := newDesk(t)
	sdk, err := filepath.Abs("../..")
	must(t, err)
	d.do(t, "", d.hone, "plugins", "new", "model", "apertus", "-sdk", sdk, "-module", "example.com/someone/"+binary)
	overlay(t, filepath.Join("testdata", "apertus"), filepath.Join(d.dir, binary))
	d.do(t, binary, "go", "vet", "./...")
	if said := d.do(t, binary, "go", "test", "-v", "-run", "Test", "./..."); !strings.Contains(said, "--- PASS: TestGolden/small") {
		t.Errorf("the plugin is not held to its golden:\n%s", said)
	}
	d.do(t, binary, "go", "build", "-trimpath", "-o", filepath.Join("bin", binary), ".")
	d.do(t, binary, d.hone, "plugins", "check", filepath.Join("bin", binary))

	d.model(t, filepath.Join(d.dir, binary, "bin", binary))
	d.refused(t, "ApertusForCausalLM", "plan", "run.hone.hcl")
	stop := d.publish(t)
	d.refused(t, "hone init run.hone.hcl", "run", "run.hone.hcl") // required, and not locked yet
	if said := d.do(t, "", d.hone, "init"); !strings.Contains(said, "installed model-apertus 0.1.0") || !strings.Contains(said, "seen for the first time") {
		t.Errorf("hone init says\n%s", said)
	}
	d.train(t, "apertus")
	d.tamper(t)
	d.do(t, "", d.hone, "init")
	stop()
	d.do(t, "", d.hone, "plan", "run.hone.hcl") // nobody is asked for what is installed
}

// refused runs hone, which has to fail and to say something of why.
func (d *desk) refused(t *testing.T, why string, args ...string) {
	t.Helper()
	if said, err := d.try(t, "", d.hone, args...); err == nil || !strings.Contains(said, why) {
		t.Errorf("hone %v: %v, and says nothing of %q:\n%s", args, err, why, said)
	}
}

// publish signs a release of the plugin, serves it as its author's server would, and has
// the run file require it from there. stop takes the server away.
func (d *desk) publish(t *testing.T) (stop func()) {
	t.Helper()
	d.do(t, binary, d.hone, "plugins", "keygen", "-no-password", "signing.key")
	said := d.do(t, binary, d.hone, "plugins", "pack", "-key", "signing.key", "-o", "release", "-tree", "tree", filepath.Join("bin", binary))
	if !strings.Contains(said, "model-apertus 0.1.0 in release") || !strings.Contains(said, "signed by key") {
		t.Errorf("hone plugins pack says\n%s", said)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Join(d.dir, binary, "tree"))))
	t.Cleanup(server.Close)
	path := filepath.Join(d.dir, "run.hone.hcl")
	run, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(fmt.Appendf(nil, requirement, server.URL), run...), 0o644))
	return server.Close
}

const requirement = `hone {
  required_plugins {
    apertus = { source = %q, version = "~> 0.1.0" }
  }
}

`

// tamper changes the binary that is installed, and sees it refused.
func (d *desk) tamper(t *testing.T) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(d.dir, "data", "hone", "plugins", "model-apertus", "*", binary))
	must(t, err)
	if len(paths) != 1 {
		t.Fatalf("%q are installed", paths)
	}
	f, err := os.OpenFile(paths[0], os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("more")
	must(t, errors.Join(err, f.Close()))
	for _, args := range [][]string{{"run", "run.hone.hcl"}, {"plugins", "verify"}} {
		d.refused(t, "was changed after it was installed", args...)
	}
}

// overlay copies the files of a folder over those of another.
func overlay(t *testing.T, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	}))
}

// model writes a checkpoint of a small Apertus with random weights, with the tokenizer of
// the quickstart, and a run file that trains it.
func (d *desk) model(t *testing.T, plugin string) {
	t.Helper()
	folder := filepath.Join(d.dir, "model")
	must(t, os.Mkdir(folder, 0o755))
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json"} {
		data, err := os.ReadFile(filepath.Join(quickstart, "model", name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(folder, name), data, 0o644))
	}
	configuration := []byte(`{"architectures": ["ApertusForCausalLM"], "model_type": "apertus", "vocab_size": 512, "hidden_size": 32,
		"intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "xielu"}`)
	must(t, os.WriteFile(filepath.Join(folder, "config.json"), configuration, 0o644))
	g, values := drawn(t, plugin, configuration)
	must(t, plugintest.WriteCheckpoint(filepath.Join(folder, "model.safetensors"), g, values))

	lessons, err := os.ReadFile(filepath.Join(quickstart, "lessons.jsonl"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(d.dir, "lessons.jsonl"), []byte(strings.Join(strings.SplitAfter(string(lessons), "\n")[:48], "")), 0o644))
	must(t, os.WriteFile(filepath.Join(d.dir, "run.hone.hcl"), fmt.Appendf(nil, runFile, binaries.Kernels()), 0o644))
}

// drawn is the plugin's Graph of a configuration, and values for its parameters.
func drawn(t *testing.T, plugin string, configuration []byte) (*graph.Graph, [][]float64) {
	t.Helper()
	instance, err := plugintest.Binary[model.Model](plugin)(t.Context())
	must(t, err)
	defer instance.Close()
	g, err := instance.Service.Build(t.Context(), &model.BuildRequest{Configuration: configuration})
	must(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([][]float64, len(g.Params))
	for i, p := range g.Params {
		values[i] = make([]float64, p.Elements())
		for j := range values[i] {
			switch values[i][j] = rng.NormFloat64(); p.Role {
			case graph.RoleNorm:
				values[i][j] = 1 + 0.1*values[i][j]
			case graph.RoleEmbed, graph.RoleMapParam:
			default:
				values[i][j] /= math.Sqrt(float64(p.Shape[1]))
			}
		}
	}
	return g, values
}

const runFile = `run "apertus" {
  seed = 5
  model { source = "model" }
  adapter "lora" { rank = 8 }
  data "train" { source = "lessons.jsonl" }
  train {
    steps           = 30
    tokens_per_step = 256
    max_length      = 128
    learning_rate   = 1e-2
    precision       = "fp32"
  }
  kernels %q {}
}
`

// train runs the run file; the loss falls, and the plugin's name and version are those of
// the run.
func (d *desk) train(t *testing.T, run string) {
	t.Helper()
	d.do(t, "", d.hone, "run", "run.hone.hcl")
	folder := filepath.Join(d.dir, "runs", run)
	losses := readLosses(t, filepath.Join(folder, "metrics.jsonl"))
	first, last := losses[0], losses[len(losses)-1]
	if len(losses) != 30 || !(last < first-0.5) {
		t.Errorf("%d steps, loss %v to %v", len(losses), first, last)
	}
	if _, err := os.Stat(filepath.Join(folder, "adapter", "adapter_model.safetensors")); err != nil {
		t.Error(err)
	}
	record, err := os.ReadFile(filepath.Join(folder, "run.json"))
	must(t, err)
	if !strings.Contains(string(record), "model-apertus") {
		t.Errorf("run.json does not name the plugin:\n%s", record)
	}
}

// readLosses are the losses of the steps of a run.
func readLosses(t *testing.T, path string) []float64 {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	var out []float64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var record struct{ Scalars map[string]float64 }
		must(t, json.Unmarshal(lines.Bytes(), &record))
		if loss, ok := record.Scalars["train/loss"]; ok {
			out = append(out, loss)
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no loss", path)
	}
	return out
}
