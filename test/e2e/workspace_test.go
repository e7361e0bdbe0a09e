package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"

	"github.com/honeml/hone/test/binaries"
)

// A workspace is a user's folder: a model, data, run files, and an installation of
// hone of its own, so that its processes can be told from those of other tests.
type workspace struct {
	dir string // runs are in dir/runs
	bin string
	env []string
}

// quickstart is the example whose model and data the tests train.
const quickstart = "../../examples/quickstart"

// lessons is how many of the example's documents are trained on.
const lessons = 48

func newWorkspace(t testing.TB) *workspace {
	t.Helper()
	w := &workspace{dir: t.TempDir()}
	w.bin = filepath.Join(w.dir, "bin")
	must(t, os.Mkdir(w.bin, 0o755))
	programs, err := os.ReadDir(built)
	must(t, err)
	for _, b := range programs {
		// Not hard links: each would make the file look changed to hosts of other
		// tests, which would then ask plugins what they are.
		must(t, os.Symlink(filepath.Join(built, b.Name()), filepath.Join(w.bin, b.Name())))
	}
	must(t, os.CopyFS(filepath.Join(w.dir, "model"), os.DirFS(filepath.Join(quickstart, "model"))))
	data, err := os.ReadFile(filepath.Join(quickstart, "lessons.jsonl"))
	must(t, err)
	lines := bytes.SplitAfter(data, []byte{'\n'})
	must(t, os.WriteFile(filepath.Join(w.dir, "lessons.jsonl"), bytes.Join(lines[:lessons], nil), 0o644))
	w.env = environment("HONE_PLUGIN_DIR="+w.bin, "HONE_CACHE_DIR="+filepath.Join(w.dir, "cache"), "HF_HOME="+filepath.Join(w.dir, "hf"))
	return w
}

// environment is the test's own without what would change hone's ways.
func environment(more ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "HONE_") && !strings.HasPrefix(entry, "HF_") {
			env = append(env, entry)
		}
	}
	return append(env, more...)
}

// settings are what the tests vary of the run file. The zero value is not useful;
// see usual.
type settings struct {
	Steps, Epochs   int // one of the two
	TokensPerStep   int
	LearningRate    string
	Precision       string
	Alpha           string
	Dropout         float64
	Packing         bool
	Kernels         string
	Threads         int // of a plugin that has the setting
	CheckpointEvery int
	Keep            int
	EvaluateEvery   int
	EvalFraction    float64
	Best            bool
	Prompt          string
	Loggers         []string
	Exports         []string
	MicroBatch      int // tokens; 0: the plugin's choice
}

// usual is a short run with everything in it: evaluations with an answer,
// checkpoints, both loggers, a metric that depends on the last evaluation.
func usual() settings {
	return settings{
		Steps: 24, TokensPerStep: 128, LearningRate: "2e-3", Precision: binaries.Precision(), Alpha: "8", Packing: true,
		Kernels: binaries.Kernels(), Threads: 1,
		CheckpointEvery: 4, Keep: 2, EvaluateEvery: 6, EvalFraction: 0.1, Prompt: "What does a cow say?",
		Loggers: []string{"tensorboard", "wandb"},
	}
}

var runFile = template.Must(template.New("run").Parse(`
run "usual" {
  seed = 11
  model { source = "model" }
  adapter "lora" {
    rank    = 4
    alpha   = {{.Alpha}}
    dropout = {{.Dropout}}
  }
  data "train" {
    source  = "lessons.jsonl"
    packing = {{.Packing}}
  }
  {{- if .EvalFraction}}
  data "eval" { fraction = {{.EvalFraction}} }
  {{- end}}
  train {
    {{- if .Steps}}
    steps = {{.Steps}}
    {{- else}}
    epochs = {{.Epochs}}
    {{- end}}
    tokens_per_step = {{.TokensPerStep}}
    max_length      = 64
    learning_rate   = {{.LearningRate}}
    precision       = "{{.Precision}}"
  }
  evaluate {
    every = {{.EvaluateEvery}}
    {{- if .Prompt}}
    prompts    = ["{{.Prompt}}"]
    max_tokens = 12
    {{- end}}
  }
  checkpoint {
    every = {{.CheckpointEvery}}
    keep  = {{.Keep}}
    best  = {{.Best}}
  }
  metric "above_evaluation" { value = loss - eval_loss }
  kernels "{{.Kernels}}" {
    {{- if eq .Kernels "cpu"}}
    threads            = {{.Threads}}
    {{- end}}
    micro_batch_tokens = {{.MicroBatch}}
  }
  {{- range .Loggers}}
  logger "{{.}}" {}
  {{- end}}
  {{- range .Exports}}
  export "{{.}}" {}
  {{- end}}
}
`))

// write makes a run file of s and returns its name.
func (w *workspace) write(t testing.TB, name string, s settings) string {
	t.Helper()
	var b bytes.Buffer
	must(t, runFile.Execute(&b, s))
	must(t, os.WriteFile(w.path(name), b.Bytes(), 0o644))
	return name
}

// path is a path in the workspace.
func (w *workspace) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// glob lists the paths in the workspace that match.
func (w *workspace) glob(t testing.TB, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(w.path(pattern))
	must(t, err)
	return found
}

// read is the text of a file in the workspace.
func (w *workspace) read(t testing.TB, names ...string) string {
	t.Helper()
	data, err := os.ReadFile(w.path(names...))
	must(t, err)
	return string(data)
}

// expect fails the test where text lacks one of the parts.
func expect(t testing.TB, what, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("%s lacks %q:\n%s", what, p, text)
		}
	}
}
