package runfile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/config"
)

// loadText loads a run file from a text, in a folder with a model and data.
func loadText(t testing.TB, text string) (*runfile.Run, runfile.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"run.hcl": text, "model/config.json": "{}", "data.jsonl": "{}", "held-out.jsonl": "{}",
		"adapter/adapter_config.json": `{"peft_type": "LORA", "r": 4, "target_modules": "all-linear"}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lookup := func(name string) (string, bool) {
		if name == "KEY" {
			return "hush-hush", true
		}
		return "", false
	}
	return runfile.Load(t.Context(), "run.hcl", runfile.Options{WorkDir: dir, Plugins: plugins{}, LookupEnv: lookup})
}

// mustLoad loads a run with these blocks beside a model, data and epochs.
func mustLoad(t testing.TB, blocks string) *runfile.Run {
	t.Helper()
	text := "run \"x\" {\n" + blocks + "\n"
	for _, b := range []struct{ begins, whole string }{
		{"model {", `model { source = "model" }`}, {"data \"train\"", `data "train" { source = "data.jsonl" }`}, {"train {", `train { epochs = 1 }`},
	} {
		if !strings.Contains(blocks, b.begins) {
			text += b.whole + "\n"
		}
	}
	run, diags := loadText(t, text+"}\n")
	if run == nil {
		t.Fatal(diags.Err())
	}
	return run
}

func TestDefaultsThatDepend(t *testing.T) {
	tests := []struct {
		name, blocks string
		got          func(*runfile.Run) any
		want         any
	}{
		{"alpha", `adapter "lora" { rank = 5 }`, func(r *runfile.Run) any { return r.Adapter.Alpha }, 10.0},
		{"alphas", "adapter \"lora\" {\nranks = { a = 3, b = 4 }\nalphas = { b = 1 }\n}", func(r *runfile.Run) any { return r.Adapter.Alphas }, map[string]float64{"a": 6, "b": 1}},
		{"alphas of a given alpha", "adapter \"lora\" {\nalpha = 5\nranks = { a = 3 }\n}", func(r *runfile.Run) any { return len(r.Adapter.Alphas) }, 0},
		{"rank of an adapter", `adapter "lora" { from = "adapter" }`, func(r *runfile.Run) any { return []any{r.Adapter.Rank, r.Adapter.Alpha} }, []any{4, 8.0}},
		{"targets of an adapter", `adapter "lora" { from = "adapter" }`, func(r *runfile.Run) any { return r.Adapter.Targets }, []string{"auto"}},
		{"learning rate", ``, func(r *runfile.Run) any { return r.Train.LearningRate }, 2e-4},
		{"learning rate of whole models", `adapter "full" {}`, func(r *runfile.Run) any { return r.Train.LearningRate }, 2e-5},
		{"tokens of a step", "train {\nepochs = 1\nmax_length = 99999\n}", func(r *runfile.Run) any { return r.Train.TokensPerStep }, 99999},
		{"length below the step's tokens", "train {\nepochs = 1\ntokens_per_step = 100\n}", func(r *runfile.Run) any { return r.Train.MaxLength }, 100},
		{"no tokens with documents", "train {\nepochs = 1\ndocuments_per_step = 4\n}", func(r *runfile.Run) any { return r.Train.TokensPerStep }, 0},
		{"a target without brackets", `adapter "lora" { targets = "q_proj" }`, func(r *runfile.Run) any { return r.Adapter.Targets }, []string{"q_proj"}},
		{"null is nothing", `adapter "lora" { rank = null }`, func(r *runfile.Run) any { return r.Adapter.Rank }, 16},
		{"memory limit", `kernels "cpu" { memory_limit = "1.5GiB" }`, func(r *runfile.Run) any { return r.MemoryLimit }, int64(3 << 29)},
		{"whole numbers of plugins", `kernels "cpu" { threads = 3 }`, func(r *runfile.Run) any { return r.Kernels.Values["threads"] }, int64(3)},
		{"hosts' attributes are not plugins'", `kernels "cpu" { memory_limit = "1GiB" }`, func(r *runfile.Run) any { return r.Kernels.Values }, map[string]any{"threads": int64(0), "recompute": "auto"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.got(mustLoad(t, tt.blocks)); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
}

func TestVariablePrecedence(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("run.hcl", `variable "seed" { default = 1 }
run "x" {
  seed = var.seed
  model { source = "hf://owner/name" }
  data "train" { source = "run.hcl" }
  train { epochs = 1 }
}`)
	write("a.hcl", "seed = 3")
	write("b.json", `{"seed": 4}`)
	environment := func(name string) (string, bool) { return "2", name == "HONE_VAR_seed" }
	tests := []struct {
		name    string
		options runfile.Options
		want    uint64
	}{
		{"default", runfile.Options{}, 1},
		{"environment", runfile.Options{LookupEnv: environment}, 2},
		{"file", runfile.Options{LookupEnv: environment, VarFiles: []string{"a.hcl"}}, 3},
		{"later file", runfile.Options{LookupEnv: environment, VarFiles: []string{"a.hcl", "b.json"}}, 4},
		{"flag", runfile.Options{LookupEnv: environment, VarFiles: []string{"a.hcl"}, Vars: []string{"seed=5"}}, 5},
		{"later flag", runfile.Options{Vars: []string{"seed=5", "seed=6"}}, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.WorkDir = dir
			run, diags := runfile.Load(t.Context(), "run.hcl", tt.options)
			if run == nil {
				t.Fatal(diags.Err())
			}
			if run.Seed != tt.want {
				t.Errorf("got %d, want %d", run.Seed, tt.want)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large.hcl"), bytes.Repeat([]byte("#"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"none.hcl": "no such file", "large.hcl": "more than", ".": "no regular file"} {
		run, diags := runfile.Load(t.Context(), path, runfile.Options{WorkDir: dir})
		if run != nil || diags.Err() == nil || !strings.Contains(diags.Err().Error(), want) {
			t.Errorf("%s: got %v, want %q", path, diags.Err(), want)
		}
	}
}

func TestDiagnose(t *testing.T) {
	run := mustLoad(t, `
data "train" { source = "data.jsonl" }
data "train" { source = "held-out.jsonl" }
logger "wandb" {
  tags   = ["a", ("b"), upper("c")]
  labels = {
    one   = 1
    "two" = 2
  }
}`)
	const first = 3 // the line of the first block
	tests := []struct {
		name         string
		ref          runfile.Ref
		path         []string
		line, column int
	}{
		{"the block", runfile.Ref{Block: "logger", Label: "wandb"}, nil, first + 2, 1},
		{"an attribute", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"tags"}, first + 3, 12},
		{"an element", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"tags", "0"}, first + 3, 13},
		{"an element in parentheses", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"tags", "1"}, first + 3, 18},
		{"a computed element", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"tags", "2"}, first + 3, 25},
		{"beyond the end", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"tags", "9"}, first + 3, 12},
		{"within a string", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"tags", "0", "x"}, first + 3, 13},
		{"a map's element", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"labels", "one"}, first + 5, 13},
		{"a quoted key", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"labels", "two"}, first + 6, 13},
		{"an attribute that is not there", runfile.Ref{Block: "logger", Label: "wandb"}, []string{"project"}, first + 2, 1},
		{"the second of two", runfile.Ref{Block: "data", Label: "train", Index: 1}, []string{"source"}, first + 1, 25},
		{"a block that is not there", runfile.Ref{Block: "evaluate"}, []string{"every"}, 1, 1},
		{"the run itself", runfile.Ref{Block: "run"}, []string{"seed"}, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			diags := run.Diagnose(tt.ref, config.Diagnostics{{Path: tt.path, Summary: "it is wrong", Detail: "right it"}})
			if len(diags.List) != 1 || diags.List[0].Subject == nil {
				t.Fatalf("got %v", diags.List)
			}
			if at := diags.List[0].Subject.Start; at.Line != tt.line || at.Column != tt.column {
				t.Errorf("got line %d, column %d, want %d, %d", at.Line, at.Column, tt.line, tt.column)
			}
		})
	}
	warning := run.Diagnose(runfile.Ref{Block: "train"}, config.Diagnostics{{Warning: true, Summary: "it is slow"}})
	if warning.HasErrors() || warning.Err() != nil || len(warning.List) != 1 {
		t.Errorf("a warning became %v", warning.List)
	}
}

func TestCheckLength(t *testing.T) {
	t.Run("a default is lowered", func(t *testing.T) {
		run := mustLoad(t, "")
		if diags := run.CheckLength(512, "the model"); diags.HasErrors() || run.Train.MaxLength != 512 {
			t.Errorf("got %d, %v", run.Train.MaxLength, diags.Err())
		}
	})
	t.Run("a setting is refused", func(t *testing.T) {
		run := mustLoad(t, "train {\n  epochs = 1\n  max_length = 1024\n}")
		diags := run.CheckLength(512, "the model")
		var text bytes.Buffer
		if err := diags.Write(&text, 80, false); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"max_length is 1024, and the model takes at most 512 tokens", "line 4", "Lower max_length to 512"} {
			if !strings.Contains(text.String(), want) {
				t.Errorf("got\n%s\nwant %q in it", &text, want)
			}
		}
		if diags := run.CheckLength(1024, "the model"); diags.HasErrors() || run.Train.MaxLength != 1024 {
			t.Errorf("the limit itself: %v", diags.Err())
		}
	})
}

func TestMetrics(t *testing.T) {
	run := mustLoad(t, `metric "bits" { value = loss / log(2) }
metric "gap" { value = eval_loss - loss }`)
	got, err := run.Metrics[0].Eval(map[string]float64{"loss": math.Ln2})
	if err != nil || got != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := run.Metrics[1].Eval(map[string]float64{"loss": 1}); !errors.Is(err, runfile.ErrNoValue) {
		t.Errorf("got %v", err)
	}
	if got := run.Metrics[1].Variables(); !reflect.DeepEqual(got, []string{"eval_loss", "loss"}) {
		t.Errorf("got %q", got)
	}
}

func TestSecretsAreRestored(t *testing.T) {
	run := mustLoad(t, `logger "wandb" {
  api_key = env("KEY")
  tags    = ["a", env("KEY"), "b"]
  project = "of ${upper(env("KEY"))}"
}`)
	block := run.Loggers[0]
	if block.Values["api_key"] != "hush-hush" || !reflect.DeepEqual(block.Env, []string{"KEY"}) {
		t.Errorf("the plugin gets %v, %v", block.Values, block.Env)
	}
	redacted, err := json.Marshal(block.Redacted())
	if err != nil || strings.Contains(strings.ToLower(string(redacted)), "hush") {
		t.Errorf("redacted, it is %s", redacted)
	}
	data, err := json.Marshal(run)
	if err != nil || strings.Contains(strings.ToLower(string(data)), "hush") {
		t.Fatalf("%v: %s", err, data)
	}
	var again runfile.Run
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if values := again.Loggers[0].Values; len(values) != 0 {
		t.Errorf("before secrets are restored, the plugin would get %v", values)
	}
	err = again.RestoreSecrets(func(name string) (string, bool) { return "hush-hush", name == "KEY" })
	if err == nil || !strings.Contains(err.Error(), `logger "wandb" project`) || strings.Contains(err.Error(), "api_key") {
		t.Errorf("got %v", err)
	}
	want := map[string]any{"api_key": "hush-hush", "tags": []any{"a", "hush-hush", "b"}}
	if got := again.Loggers[0].Values; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	err = again.RestoreSecrets(func(string) (string, bool) { return "", false })
	if err == nil || strings.Contains(err.Error(), "api_key") {
		t.Errorf("what was restored is asked for again: %v", err)
	}
}

func TestRunJSONIsChecked(t *testing.T) {
	data, err := json.Marshal(mustLoad(t, `metric "bits" { value = loss / log(2) }`))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, old, new, want string }{
		{"another format", `"format":1`, `"format":2`, "another version of hone"},
		{"no format", `"format":1,`, ``, "another version of hone"},
		{"an unknown field", `"seed":0`, `"sede":0`, "unknown field"},
		{"an unknown field within", `"rank":16`, `"rnak":16`, "unknown field"},
		{"no rank", `"rank":16`, `"rank":0`, "must be at least 1"},
		{"a huge rate", `"learning_rate":0.0002`, `"learning_rate":20`, "learning_rate must be at most 1"},
		{"an unknown schedule", `"cosine"`, `"cos"`, "is none of"},
		{"no epochs", `"epochs":1`, `"epochs":0`, "0 epochs and 0 steps"},
		{"a short step", `"tokens_per_step":16384`, `"tokens_per_step":16`, "a step has 16 tokens"},
		{"an unknown adapter", `"kind":"lora"`, `"kind":"lorra"`, `no adapter "lorra"`},
		{"a bad formula", `loss / log(2)`, `loss / lgo(2)`, `no function "lgo"`},
		{"a bad name", `"name":"x"`, `"name":"../x"`, "no name of a run"},
		{"no data", `"train":[{`, `"train":[],"eval":[{`, ""},
		{"a negative seed", `"seed":0`, `"seed":-1`, "seed"},
		{"a large seed", `"seed":0`, `"seed":18446744073709551615`, "seed"},
		{"no model", `/model"`, `"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if !strings.Contains(string(data), tt.old) {
				t.Fatalf("%s lacks %s", data, tt.old)
			}
			var run runfile.Run
			err := json.Unmarshal([]byte(strings.Replace(string(data), tt.old, tt.new, 1)), &run)
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"24GiB": 24 << 30, "512MB": 512_000_000, "1.5 KiB": 1536, "0.5TB": 500_000_000_000, "7B": 7, "2MiB": 2 << 20,
	} {
		if got, err := runfile.ParseSize(text); err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "24", "GiB", "-1GiB", "24gib", "24 GiBs", "1e9B", "9999999999TiB", "1.2.3GB", "24G"} {
		if got, err := runfile.ParseSize(text); err == nil {
			t.Errorf("%q is taken for %d", text, got)
		}
	}
}

func TestFormat(t *testing.T) {
	got, diags := runfile.Format("x.hcl", []byte("run \"x\" {\nmodel {\nsource=\"a\"\n  dtype   = \"auto\"\n}\n}\n"))
	want := "run \"x\" {\n  model {\n    source = \"a\"\n    dtype  = \"auto\"\n  }\n}\n"
	if diags.HasErrors() || string(got) != want {
		t.Errorf("got\n%s\n%v", got, diags.Err())
	}
	broken := []byte("run \"x\" {\n")
	got, diags = runfile.Format("x.hcl", broken)
	if !diags.HasErrors() || !bytes.Equal(got, broken) || !strings.Contains(diags.Err().Error(), "x.hcl:") {
		t.Errorf("got %q, %v", got, diags.Err())
	}
}

// Whatever fills a file, it is read, and what is wrong with it shown, in a moment.
func TestLargeFiles(t *testing.T) {
	const size, lines = 64 << 10, 2500 // a quarter of what is read
	inRun := func(text string) string { return "run \"x\" {\n" + text + "\n}\n" }
	tests := []struct{ name, text string }{
		{"blocks", strings.Repeat("a {}\n", lines)}, {"runs", strings.Repeat("run \"a\" {}\n", lines)},
		{"variables", numbered("variable \"v%d\" {}\n", lines)}, {"locals", "locals {\n" + numbered("l%d = 1\n", lines) + "}\n"},
		{"a chain of locals", "locals {\n" + numbered("l%[1]d = local.l%[2]d\n", lines) + "}\n"},
		{"blocks of a run", inRun(strings.Repeat("train {}\n", lines))}, {"labels", inRun("adapter " + strings.Repeat("\"a\" ", size/4) + "{}")},
		{"data", inRun(strings.Repeat("data \"train\" {}\n", lines))}, {"loggers", inRun(numbered("logger \"l%d\" {}\n", lines))},
		{"metrics", inRun(numbered("metric \"m%d\" { value = loss }\n", size/40))},
		{"attributes", inRun("model {\n" + numbered("a%d = 1\n", lines) + "}")}, {"prompts", inRun("evaluate { prompts = [" + strings.Repeat("1,", size/2) + "] }")},
		{"keys", inRun("logger \"wandb\" { labels = { " + numbered("k%d = \"\", ", size/14) + " } }")}, {"quotes", strings.Repeat("\"", size)},
		{"lines", strings.Repeat("\n", size)}, {"heredocs", strings.Repeat("a = <<E\nE\n", lines/2)}, {"comments", strings.Repeat("/*", size/2)}, {"slashes", strings.Repeat("/", size)},
		{"garbage", strings.Repeat("}])", size/3)}, {"templates", "locals { a = \"" + strings.Repeat("${a}", size/4) + "\" }"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run, diags := loadText(t, tt.text)
			if run != nil || len(diags.List) == 0 || len(diags.List) > 31 {
				t.Fatalf("got %d diagnostics", len(diags.List))
			}
			if err := diags.Write(io.Discard, 80, false); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		if strings.Contains(format, "%[2]") {
			fmt.Fprintf(&b, format, i, i+1)
		} else {
			fmt.Fprintf(&b, format, i)
		}
	}
	return b.String()
}

func TestControlCharactersAreNotWritten(t *testing.T) {
	_, diags := loadText(t, "run \"x\" {\n  # \x1b[31mred\x07\n  seed = \"\x1b[2J\"\n}\n")
	var text bytes.Buffer
	if err := diags.Write(&text, 80, false); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\x07") {
		t.Errorf("got %q", text.String())
	}
}
