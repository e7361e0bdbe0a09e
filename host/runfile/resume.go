package runfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// A Difference is a setting in which a run file differs from a run that it is to
// go on with.
type Difference struct {
	Setting  string // as documentation names it: adapter.rank, data.train[0].source
	Old, New any    // as JSON has them; nil: not set
	Rule     Rule
	Ref      Ref
	Path     []string
}

// String is the difference as a line of text.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s instead of %s, which %s", d.Setting, show(d.New), show(d.Old), d.Rule.Documentation())
}

// Resumable compares the run with one that it would go on with: what differs, in
// the order of the settings' names, and under which rule. Differences of
// [RuleFixed] forbid it; those of [RuleContent] and [RuleLength] depend on what the
// caller knows of files and of steps done; the others are allowed. Only what bears
// on a resumed run is compared: neither values of variables, nor the run file's
// name.
func (r *Run) Resumable(old *Run) []Difference {
	was, is := old.settings(), r.settings()
	names := maps.Clone(was)
	maps.Copy(names, is)
	var out []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, b := was[name], is[name]
		if name == "adapter.init" && a.value == "" && r.Adapter.Kind == old.Adapter.Kind {
			a.value = string(adapt.InitLoRA) // what runs began with that knew of no other
		}
		if reflect.DeepEqual(a.value, b.value) || names[name].ref.Index >= min(len(old.Data.Train), len(r.Data.Train)) {
			continue // what only one of them has is counted by data.train
		}
		d := Difference{Setting: name, Old: a.value, New: b.value, Rule: names[name].rule, Ref: names[name].ref, Path: names[name].path}
		switch {
		case d.Rule == RuleLength:
			d.Rule = r.lengthRule(old)
		case name == "adapter.from" && (d.Old == "" || d.New == ""):
			d.Rule = RuleFixed // a fresh adapter is no existing one
		}
		out = append(out, d)
	}
	return out
}

// lengthRule is what a run's length may do: with a schedule that depends on it,
// nothing; without a warm-up that does, anything.
func (r *Run) lengthRule(old *Run) Rule {
	switch {
	case r.Train.Schedule != "constant" || old.Train.Schedule != "constant":
		return RuleFixed
	case r.Train.Warmup == 0 || r.Train.Warmup >= 1:
		return RuleFree
	}
	return RuleLength
}

// RefuseDifferences shows the differences that forbid going on, at their lines.
func (r *Run) RefuseDifferences(differences []Difference) Diagnostics {
	var out Diagnostics
	for _, d := range differences {
		if d.Rule != RuleFixed {
			continue
		}
		more := r.Diagnose(d.Ref, config.Diagnostics{{
			Path:    d.Path,
			Summary: fmt.Sprintf("%s may not differ when a run is resumed", d.Setting),
			Detail: fmt.Sprintf("The run has %s, and the file %s. Set it back; or begin another run, which can start from this one's adapter with adapter \"lora\" { from = … }.",
				show(d.Old), show(d.New)),
		}})
		out.List, out.Files = append(out.List, more.List...), more.Files
	}
	return out.sort()
}

// A setting is one value of a run with its rule.
type setting struct {
	value any
	rule  Rule
	ref   Ref
	path  []string
}

// settings are the run's settings by name, values as JSON has them.
func (r *Run) settings() map[string]setting {
	out := map[string]setting{}
	put := func(name string, value any, rule Rule, ref Ref, path ...string) {
		out[name] = setting{plainJSON(value), rule, ref, path}
	}
	for ref, value := range r.ownBlocks() {
		if ref.Label != "eval" && ref.Block != "export" {
			putBlock(put, ref, value)
		}
	}
	put("adapter", r.Adapter.Kind, RuleFixed, Ref{Block: "adapter", Label: r.Adapter.Kind})
	if s := r.RoPEScaling; s != nil {
		put("rope_scaling", s.Kind, RuleFixed, Ref{Block: "rope_scaling", Label: s.Kind})
	}
	first := Ref{Block: "data", Label: "train"}
	put("data.train", len(r.Data.Train), RuleFixed, first)
	put("data.train.shuffle", r.Data.Shuffle, RuleFixed, first, "shuffle")
	put("data.train.packing", r.Data.Packing, RuleRounding, first, "packing")
	put("data.eval.fraction", r.Data.EvalFraction, RuleFixed, Ref{Block: "data", Label: "eval"}, "fraction")
	put("data.eval", r.Data.Eval, RuleFree, Ref{Block: "data", Label: "eval"})
	put("export", r.Exports, RuleFree, Ref{Block: "run"})
	put("kernels", r.Kernels.Name, RuleRounding, r.Kernels.Ref())
	for name, v := range r.Kernels.Redacted() {
		put("kernels."+name, v, RuleRounding, r.Kernels.Ref(), name)
	}
	put("kernels.memory_limit", r.MemoryLimit, RuleRounding, r.Kernels.Ref(), "memory_limit")
	for _, b := range r.Loggers {
		put("logger."+b.Name, b.Redacted(), RuleFree, b.Ref())
	}
	for _, m := range r.Metrics {
		put("metric."+m.Name, m, RuleFree, Ref{Block: "metric", Label: m.Name}, "value")
	}
	for _, q := range r.Requirements {
		put("required_plugins."+q.Name, q, RuleRounding, Ref{Block: "run"})
	}
	return out
}

// putBlock adds the attributes of one of the host's own blocks.
func putBlock(put func(string, any, Rule, Ref, ...string), ref Ref, value any) {
	spec := specOf(runBlocks(), ref.Block, ref.Label)
	values, err := object(value)
	if spec == nil || err != nil {
		return
	}
	prefix := ref.Block + "."
	switch ref.Block {
	case "run":
		prefix = ""
	case "data":
		prefix = fmt.Sprintf("data.%s[%d].", ref.Label, ref.Index)
	}
	for _, a := range spec.Attributes {
		v, ok := values[a.Name]
		if !ok {
			continue
		}
		if names, isList := v.([]any); isList && ref.Block == "adapter" {
			v = sorted(names) // their order does not matter
		}
		put(prefix+a.Name, v, a.Resume, ref, a.Name)
	}
}

// plainJSON is a value as it is after being written and read.
func plainJSON(value any) any {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return strings.TrimSpace(string(data))
	}
	return out
}
