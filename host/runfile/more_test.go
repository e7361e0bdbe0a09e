package runfile_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/host/runfile"
)

// write makes a folder with these files and gives its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func runWith(blocks string) string {
	return "run \"x\" {\nmodel { source = \"hf://a/b\" }\ndata \"train\" { source = \"run.hcl\" }\ntrain { epochs = 1 }\n" + blocks + "\n}\n"
}

func TestExistingAdapters(t *testing.T) {
	tests := []struct{ name, config, block, want string }{
		{"PEFT's defaults", `{"target_modules": ["q_proj"]}`, ``, ""},
		{"the same, written out", `{"r": 4, "lora_alpha": 4, "target_modules": ["q", "v"]}`, "rank = 4\nalpha = 4\ntargets = [\"v\", \"q\"]\ndropout = 0.5", ""},
		{"newer fields", `{"r": 4, "target_modules": ["q"], "something_new": 1}`, ``, ""},
		{"no JSON", `{`, ``, "unexpected end of JSON"},
		{"a list", `[]`, ``, "cannot unmarshal"},
		{"another kind", `{"peft_type": "IA3", "target_modules": ["q"]}`, ``, `peft_type is "IA3"`},
		{"DoRA", `{"target_modules": ["q"], "use_dora": true}`, `dora = true`, ""},
		{"DoRA and a bias", `{"target_modules": ["q"], "use_dora": true, "lora_bias": true}`, ``, "DoRA has no bias"},
		{"DoRA that the file does not name", `{"target_modules": ["q"]}`, `dora = true`, "has dora = false"},
		{"DoRA that the run does not want", `{"target_modules": ["q"], "use_dora": true}`, `dora = false`, "has dora = true"},
		{"an init as it is", `{"target_modules": ["q"]}`, `init = "lora"`, ""},
		{"another init", `{"target_modules": ["q"]}`, `init = "pissa"`, "Init says what a fresh adapter begins with, and this one begins with what is in"},
		{"a base that PEFT changed", `{"target_modules": ["q"], "init_lora_weights": "pissa_niter_16"}`, ``, `its init_lora_weights is "pissa_niter_16"`},
		{"ranks of their own", `{"target_modules": ["q"], "rank_pattern": {"q": 3}}`, `ranks = { q = 3 }`, ""},
		{"other ranks of their own", `{"target_modules": ["q"], "rank_pattern": {"q": 3}}`, `ranks = { q = 4 }`, `has ranks = {"q":3}`},
		{"an alpha of its own beyond reason", `{"target_modules": ["q"], "alpha_pattern": {"q": 2e6}}`, ``, `its alphas of "q" must be at most 1000000`},
		{"no ranks", `{"target_modules": ["q"], "rank_pattern": {"q": 0}}`, ``, `rank_pattern: the value of "q" is no size`},
		{"layers", `{"target_modules": ["q"], "layers_to_transform": [0, 3]}`, `layers = [3, 0]`, ""},
		{"other layers", `{"target_modules": ["q"], "layers_to_transform": 1}`, `layers = [3]`, "has layers = [1]"},
		{"layers of another name", `{"target_modules": ["q"], "layers_to_transform": 1, "layers_pattern": "blocks"}`, ``, "it uses layers_pattern"},
		{"whole modules", `{"target_modules": ["q"], "modules_to_save": ["lm_head"]}`, ``, ""},
		{"whole modules that the file does not name", `{"target_modules": ["q"]}`, `also_train = ["lm_head"]`, "has also_train = []"},
		{"a regular expression", `{"target_modules": ".*q_proj"}`, `targets = "~.*q_proj"`, ""},
		{"no regular expression", `{"target_modules": ".*(?!q)_proj"}`, ``, "no regular expression"},
		{"experts' parameters", `{"target_modules": ["q"], "target_parameters": ["w"]}`, `targets = ["q", "w"]`, ""},
		{"experts' parameters alone", `{"target_modules": null, "target_parameters": ["w"]}`, `targets = ["w"]`, ""},
		{"experts' parameters of some layers", `{"target_modules": ["q"], "target_parameters": ["w"], "layers_to_transform": 1}`, ``, "target_parameters beside layers_to_transform"},
		{"no targets", `{"r": 4}`, ``, "no list of names"},
		{"an empty list of targets", `{"target_modules": []}`, ``, "no list of names"},
		{"numbers as targets", `{"target_modules": [5]}`, ``, "no list of names"},
		{"rank 0", `{"r": 0, "target_modules": ["q"]}`, ``, "rank 0, want at least 1"},
		{"a huge rank", `{"r": 1e300, "target_modules": ["q"]}`, ``, "cannot unmarshal"},
		{"dropout 1", `{"lora_dropout": 1, "target_modules": ["q"]}`, ``, "dropout 1, want"},
		{"an unknown bias", `{"bias": "some", "target_modules": ["q"]}`, ``, `bias "some", want`},
		{"another rank", `{"r": 4, "target_modules": ["q"]}`, "rank = 8", "has rank = 4"},
		{"another scale", `{"use_rslora": true, "target_modules": ["q"]}`, "rslora = false", "has rslora = true"},
		{"other biases", `{"bias": "all", "target_modules": ["q"]}`, `bias = "none"`, `has bias = "all"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"adapter/adapter_config.json": tt.config,
				"run.hcl":                     runWith("adapter \"lora\" {\nfrom = \"adapter\"\n" + tt.block + "\n}"),
			})
			run, diags := runfile.Load(t.Context(), "run.hcl", runfile.Options{WorkDir: dir})
			switch {
			case tt.want == "" && run == nil:
				t.Error(diags.Err())
			case tt.want != "" && (run != nil || !strings.Contains(diags.Err().Error(), tt.want)):
				t.Errorf("got %v, want %q", diags.Err(), tt.want)
			}
		})
	}
}

// Without knowledge of plugins, their blocks may hold anything, and secrets are
// still found.
func TestUnknownPlugins(t *testing.T) {
	dir := write(t, map[string]string{"run.hcl": runWith(`
kernels "falcon" {
  memory_limit = "2GiB"
  depth        = 3
}
logger "anything" {
  on     = true
  deep   = { list = [1, { key = env("KEY"), other = "x" }], more = "a-${env("KEY")}" }
  text   = "x"
  absent = null
}`)})
	run, diags := runfile.Load(t.Context(), "run.hcl", runfile.Options{
		WorkDir: dir, LookupEnv: func(name string) (string, bool) { return "hush-hush", name == "KEY" },
	})
	if run == nil {
		t.Fatal(diags.Err())
	}
	if run.MemoryLimit != 2<<30 || !reflect.DeepEqual(run.Kernels.Values, map[string]any{"depth": 3.0}) {
		t.Errorf("kernels: %d, %v", run.MemoryLimit, run.Kernels.Values)
	}
	logger := run.Loggers[0]
	want := map[string]any{"on": true, "text": "x", "deep": map[string]any{
		"list": []any{1.0, map[string]any{"key": "hush-hush", "other": "x"}}, "more": "a-hush-hush",
	}}
	if !reflect.DeepEqual(logger.Values, want) {
		t.Errorf("got %v, want %v", logger.Values, want)
	}
	data, err := json.Marshal(logger)
	if err != nil {
		t.Fatal(err)
	}
	const json1 = `{"kind":"logger","name":"anything","values":{"deep":{"list":[1,{"key":"(sensitive)","other":"x"}],"more":"(sensitive)"},` +
		`"on":true,"text":"x"},"secrets":[{"path":["deep","list","1","key"],"env":"KEY"},{"path":["deep","more"]}],"env":["KEY"]}`
	if string(data) != json1 {
		t.Errorf("got\n%s, want\n%s", data, json1)
	}
}

// What a schema calls sensitive is hidden, wherever it comes from.
func TestSensitiveAttributes(t *testing.T) {
	run := mustLoad(t, `logger "wandb" { api_key = "hush, written out" }`)
	data, err := json.Marshal(run)
	if err != nil || strings.Contains(string(data), "hush") {
		t.Errorf("%v: %s", err, data)
	}
	if run.Loggers[0].Values["api_key"] != "hush, written out" {
		t.Errorf("the plugin gets %v", run.Loggers[0].Values)
	}
}

func TestMetricsOfLocals(t *testing.T) {
	dir := write(t, map[string]string{"run.hcl": `variable "on" { default = true }
locals {
  base = 2
  text = "x"
  none = null
  bad  = 1 + "y"
}
` + runWith(`metric "good" { value = var.on ? log(loss, local.base) : -local.base }`)})
	run, diags := runfile.Load(t.Context(), "run.hcl", runfile.Options{WorkDir: dir})
	if run != nil || !strings.Contains(diags.Err().Error(), "5:") && len(diags.List) != 1 {
		t.Fatalf("only the bad local is wrong: %v", diags.Err())
	}
	for expression, want := range map[string]string{
		"loss * local.text": "this is none", "loss * local.none": "this is none", "loss * run.name": "this is none",
		"loss * var.off": `no variable "off"`, "loss * train.x": "Nothing is called", "local.base.x": "Can't access attributes",
	} {
		dir := write(t, map[string]string{"run.hcl": "variable \"on\" { default = true }\nlocals {\nbase = 2\ntext = \"x\"\nnone = null\n}\n" +
			runWith("metric \"m\" { value = "+expression+" }")})
		run, diags := runfile.Load(t.Context(), "run.hcl", runfile.Options{WorkDir: dir})
		if run != nil || !strings.Contains(diags.Err().Error(), want) {
			t.Errorf("%s: got %v, want %q", expression, diags.Err(), want)
		}
	}
	dir = write(t, map[string]string{"run.hcl": "variable \"on\" { default = true }\nlocals { base = 2 }\n" +
		runWith(`metric "good" { value = var.on ? log(loss, local.base) : -local.base }`)})
	run, diags = runfile.Load(t.Context(), "run.hcl", runfile.Options{WorkDir: dir})
	if run == nil {
		t.Fatal(diags.Err())
	}
	if got, want := run.Metrics[0].Expression(), "true ? log(loss, 2) : -2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if y, err := run.Metrics[0].Eval(map[string]float64{"loss": 8}); err != nil || y != 3 {
		t.Errorf("got %v, %v", y, err)
	}
}

// Large but honest files are read.
func TestManyPrompts(t *testing.T) {
	var list, data strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&list, "%q,\n", fmt.Sprintf("What is the answer to question %d?", i))
		fmt.Fprintf(&data, "%s{\"text\": \"question %d\"}", map[bool]string{true: ",\n"}[i > 0], i)
	}
	for name, blocks := range map[string]string{
		"written out":       "evaluate { prompts = [\n" + list.String() + "] }",
		"of a variable":     "evaluate { prompts = var.prompts }",
		"of a file of JSON": "evaluate { prompts = [for p in jsondecode(file(\"prompts.json\")) : p.text] }",
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, map[string]string{
				"run.hcl":      "variable \"prompts\" {\ntype = list(string)\ndefault = []\n}\n" + runWith(blocks),
				"prompts.json": "[" + data.String() + "]",
				"vars.hcl":     "prompts = [\n" + list.String() + "]\n",
			})
			run, diags := runfile.Load(t.Context(), "run.hcl", runfile.Options{WorkDir: dir, VarFiles: []string{filepath.Join(dir, "vars.hcl")}})
			if run == nil {
				t.Fatal(diags.Err())
			}
			if len(run.Evaluate.Prompts) != 4000 {
				t.Errorf("got %d prompts", len(run.Evaluate.Prompts))
			}
		})
	}
}

func TestHomeFolder(t *testing.T) {
	home := write(t, map[string]string{"data.jsonl": "{}"})
	dir := write(t, map[string]string{"run.hcl": strings.Replace(runWith(`logger "tensorboard" { log_dir = "~/logs" }`), `"run.hcl"`, `"~/data.jsonl"`, 1)})
	run, diags := runfile.Load(t.Context(), "run.hcl", runfile.Options{
		WorkDir: dir, Plugins: plugins{}, LookupEnv: func(name string) (string, bool) { return home, name == "HOME" },
	})
	if run == nil {
		t.Fatal(diags.Err())
	}
	if got, want := run.Data.Train[0].Source, filepath.Join(home, "data.jsonl"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := run.Loggers[0].Values["log_dir"], filepath.Join(home, "logs"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRulesAreDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range []runfile.Rule{runfile.RuleFixed, runfile.RuleContent, runfile.RuleLength, runfile.RuleRounding, runfile.RuleFree} {
		if text := r.Documentation(); text == "" || seen[text] {
			t.Errorf("%s: %q", r, text)
		} else {
			seen[text] = true
		}
	}
}
