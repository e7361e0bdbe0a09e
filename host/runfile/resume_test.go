package runfile_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/honeml/hone/host/runfile"
)

func TestResumable(t *testing.T) {
	constant := "train {\nepochs = 1\nschedule = \"constant\"\n"
	tests := []struct {
		name, old, new string
		want           map[string]runfile.Rule
	}{
		{"the same", `seed = 1`, `seed = 1`, map[string]runfile.Rule{}},
		{"written otherwise", `adapter "lora" { rank = 16 }`, ``, map[string]runfile.Rule{}},
		{"seed", `seed = 1`, `seed = 2`, map[string]runfile.Rule{"seed": runfile.RuleFixed}},
		{"rank", `adapter "lora" { rank = 8 }`, `adapter "lora" { rank = 4 }`, map[string]runfile.Rule{"adapter.rank": runfile.RuleFixed, "adapter.alpha": runfile.RuleFixed}},
		{"scaling", ``, `rope_scaling "linear" { factor = 2 }`, map[string]runfile.Rule{"rope_scaling": runfile.RuleFixed, "rope_scaling.factor": runfile.RuleFixed}},
		{"order of targets", `adapter "lora" { targets = ["a", "b"] }`, `adapter "lora" { targets = ["b", "a"] }`, map[string]runfile.Rule{}},
		{"an adapter instead of a fresh one", `adapter "lora" {
rank  = 4
alpha = 8
}`, `adapter "lora" { from = "adapter" }`, map[string]runfile.Rule{"adapter.from": runfile.RuleFixed}},
		{"model", `model { source = "hf://a/b" }`, ``, map[string]runfile.Rule{"model.source": runfile.RuleContent}},
		{"data", ``, `data "train" { source = "held-out.jsonl" }`, map[string]runfile.Rule{"data.train[0].source": runfile.RuleContent}},
		{"more data", ``, "data \"train\" { source = \"data.jsonl\" }\ndata \"train\" { source = \"held-out.jsonl\" }", map[string]runfile.Rule{
			"data.train": runfile.RuleFixed,
		}},
		{"packing", ``, "data \"train\" {\nsource = \"data.jsonl\"\npacking = false\n}", map[string]runfile.Rule{"data.train.packing": runfile.RuleRounding}},
		{"shuffle", ``, "data \"train\" {\nsource = \"data.jsonl\"\nshuffle = false\n}", map[string]runfile.Rule{"data.train.shuffle": runfile.RuleFixed}},
		{"other evaluation", `data "eval" { source = "held-out.jsonl" }`, ``, map[string]runfile.Rule{"data.eval": runfile.RuleFree}},
		{"fraction", `data "eval" { fraction = 0.5 }`, `data "eval" { fraction = 0.25 }`, map[string]runfile.Rule{"data.eval.fraction": runfile.RuleFixed}},
		{"prompts", ``, `evaluate { prompts = ["x"] }`, map[string]runfile.Rule{"evaluate.prompts": runfile.RuleFree}},
		{"checkpoints", ``, `checkpoint { every = 7 }`, map[string]runfile.Rule{"checkpoint.every": runfile.RuleFree}},
		{"longer with cosine", ``, `train { epochs = 2 }`, map[string]runfile.Rule{"train.epochs": runfile.RuleFixed}},
		{"longer with constant", constant + "}", strings.Replace(constant, "1", "2", 1) + "}", map[string]runfile.Rule{"train.epochs": runfile.RuleLength}},
		{"longer without warm-up", constant + "warmup = 0\n}", strings.Replace(constant, "1", "2", 1) + "warmup = 0\n}", map[string]runfile.Rule{"train.epochs": runfile.RuleFree}},
		{"rate", ``, "train {\nepochs = 1\nlearning_rate = 1e-3\n}", map[string]runfile.Rule{"train.learning_rate": runfile.RuleFixed}},
		{"threads", ``, `kernels "cpu" { threads = 2 }`, map[string]runfile.Rule{"kernels.threads": runfile.RuleRounding}},
		{"memory", ``, `kernels "cpu" { memory_limit = "1GiB" }`, map[string]runfile.Rule{"kernels.memory_limit": runfile.RuleRounding}},
		{"kernels", ``, `kernels "cuda" {}`, map[string]runfile.Rule{
			"kernels": runfile.RuleRounding, "kernels.threads": runfile.RuleRounding, "kernels.recompute": runfile.RuleRounding, "kernels.gpus": runfile.RuleRounding,
		}},
		{"loggers", `logger "wandb" { api_key = env("KEY") }`, `logger "tensorboard" {}`, map[string]runfile.Rule{"logger.wandb": runfile.RuleFree, "logger.tensorboard": runfile.RuleFree}},
		{"metrics", ``, `metric "a" { value = 1 }`, map[string]runfile.Rule{"metric.a": runfile.RuleFree}},
		{"exports", ``, `export "merged" {}`, map[string]runfile.Rule{"export": runfile.RuleFree}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			old, new1 := mustLoad(t, tt.old), mustLoad(t, tt.new)
			sameFolder(old, new1)
			got := rules(new1.Resumable(old))
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			data, err := json.Marshal(old)
			if err != nil {
				t.Fatal(err)
			}
			var kept runfile.Run
			if err := json.Unmarshal(data, &kept); err != nil {
				t.Fatal(err)
			}
			if fromJSON := rules(new1.Resumable(&kept)); !maps.Equal(got, fromJSON) {
				t.Errorf("from JSON: got %v, want %v", fromJSON, got)
			}
		})
	}
}

// sameFolder moves a run's files to where another's are.
func sameFolder(to, run *runfile.Run) {
	move := func(path *string) {
		for _, name := range []string{"/model", "/data.jsonl", "/held-out.jsonl"} {
			if strings.HasSuffix(*path, name) {
				*path = "/same" + name
			}
		}
	}
	for _, r := range []*runfile.Run{to, run} {
		move(&r.Model.Source)
		for i := range r.Data.Train {
			move(&r.Data.Train[i].Source)
		}
	}
}

func rules(differences []runfile.Difference) map[string]runfile.Rule {
	out := map[string]runfile.Rule{}
	for _, d := range differences {
		out[d.Setting] = d.Rule
	}
	return out
}

// TestResumableOfBefore: a run that knew of no init goes on with that of LoRA.
func TestResumableOfBefore(t *testing.T) {
	for init, want := range map[string]map[string]runfile.Rule{"lora": {}, "pissa": {"adapter.init": runfile.RuleFixed}} {
		old, now := mustLoad(t, ``), mustLoad(t, `adapter "lora" { init = "`+init+`" }`)
		sameFolder(old, now)
		old.Adapter.Init = ""
		if got := rules(now.Resumable(old)); !reflect.DeepEqual(got, want) {
			t.Errorf("init %q: got %v, want %v", init, got, want)
		}
	}
}

func TestRefuseDifferences(t *testing.T) {
	old, run := mustLoad(t, `seed = 1`), mustLoad(t, "seed = 2\nadapter \"lora\" { rank = 4 }\ncheckpoint { every = 1 }")
	sameFolder(old, run)
	differences := run.Resumable(old)
	var text bytes.Buffer
	if err := run.RefuseDifferences(differences).Write(&text, 0, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"line 2", "   2: seed = 2", "seed may not differ", "The run has 1, and the file 2.", "adapter.rank may not differ", "line 3"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("got\n%s\nwant %q in it", &text, want)
		}
	}
	if strings.Contains(text.String(), "checkpoint") {
		t.Errorf("it refuses what is allowed:\n%s", &text)
	}
	for _, d := range differences {
		if !strings.Contains(d.String(), d.Setting) {
			t.Errorf("%s says too little", d)
		}
	}
}
