package cli

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/honeml/hone/host/metrics"
	"github.com/honeml/hone/host/rundir"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/ui"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// announce says what begins.
func (s *session) announce(display ui.Display, dir *rundir.Dir, fanout *metrics.Fanout) {
	say := func(format string, args ...any) {
		display.Emit(ui.Event{Time: time.Now(), Kind: ui.Info, Message: fmt.Sprintf(format, args...)})
	}
	say("run %s in %s", s.run.Name, relative(dir.Path))
	say("model %s: %s", relative(s.run.Model.Source), s.modelLine())
	if line := s.tokensLine(); line != "" {
		say("tokens: %s", line)
	}
	if line := s.scalingLine(); line != "" {
		say("positions: %s", line)
	}
	say("data: %s", s.dataLine())
	if s.kernels.note != "" {
		say("%s", s.kernels.note)
	}
	for _, name := range slices.Sorted(maps.Keys(fanout.Notes())) {
		for _, note := range fanout.Notes()[name] {
			say("%s: %s", name, note)
		}
	}
}

// modelLine is the model and what is trained of it, in a line.
func (s *session) modelLine() string {
	sum := adapt.Summarise(s.graph)
	trained := sum.Adapter + sum.Own
	line := fmt.Sprintf("%s, %s parameters, %s trained (%.2g %%)",
		s.model.Architecture, count(sum.Model), count(trained), 100*float64(trained)/float64(sum.Model))
	if d, ok := adapt.Describe(s.graph); ok {
		line += " on " + strings.Join(d.TargetModules, " ")
		if len(d.LayersToTransform) > 0 {
			line += " of layers " + strings.Trim(fmt.Sprint(d.LayersToTransform), "[]")
		}
		if s.run.Adapter.DoRA {
			line += ", with DoRA"
		}
		if s.run.Adapter.Init == string(adapt.InitPiSSA) {
			line += ", with PiSSA"
		}
		if len(d.ModulesToSave) > 0 {
			line += ", in full " + strings.Join(d.ModulesToSave, " ")
		}
	}
	if s.graph.Balanced() {
		line += fmt.Sprintf(", experts balanced by %g", s.run.Train.ExpertBalance)
	}
	return line
}

// tokensLine is which tokens are new and which are trained; "" for none.
func (s *session) tokensLine() string {
	t := s.run.Tokens
	if t == nil {
		return ""
	}
	line := fmt.Sprintf("%d new", len(t.Add))
	if len(t.Add) > 0 {
		line += fmt.Sprintf(", with the ids from %d on", s.model.Known)
	}
	if s.model.Grown > 0 {
		line += fmt.Sprintf(", for which the vocabulary grows to %d", s.model.Graph.IDs())
	}
	if s.adapter != "" {
		line += fmt.Sprintf("; rows of %d trained", len(t.Add)+len(t.Train))
	}
	return line
}

// scalingLine is how the model is stretched; "" where it is not.
func (s *session) scalingLine() string {
	scaling := s.run.RoPEScaling
	if scaling == nil {
		return ""
	}
	line := fmt.Sprintf("%s scaling by %v, for documents of up to %d tokens", scaling.Kind, scaling.Factor, s.model.Context())
	if scaling.Kind == runfile.ScalingDynamic {
		line += fmt.Sprintf("; the frequencies are those of %d (train.max_length)", s.run.Train.MaxLength)
	}
	return line
}

func (s *session) dataLine() string {
	line := fmt.Sprintf("%s documents, %s tokens, %s of them learned",
		count(int64(len(s.train.Documents))), count(s.train.Tokens()), count(s.train.Supervised()))
	if s.eval != nil {
		line += fmt.Sprintf("; evaluation on %s documents", count(int64(len(s.eval.Documents))))
	}
	if n := s.report.Failed(); n > 0 {
		line += fmt.Sprintf("; %d rows left out", n)
	}
	return line
}

// count writes a number with a unit.
func count(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.2fB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%.1fk", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

// described is the run as JSON, and as a flat table for loggers.
func (s *session) described() (resolved []byte, hyperparameters map[string]any, err error) {
	if resolved, err = json.Marshal(s.run); err != nil {
		return nil, nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(resolved, &tree); err != nil {
		return nil, nil, err
	}
	hyperparameters = map[string]any{}
	for _, part := range []string{"seed", "model", "tokens", "rope_scaling", "adapter", "train"} {
		flatten(hyperparameters, part, tree[part])
	}
	return resolved, hyperparameters, nil
}

// flatten puts the leaves of v into table under dotted names; lists as text.
func flatten(table map[string]any, name string, v any) {
	switch x := v.(type) {
	case nil:
	case map[string]any:
		for key, value := range x {
			flatten(table, name+"."+key, value)
		}
	case []any:
		parts := make([]string, len(x))
		for i, p := range x {
			parts[i] = fmt.Sprint(p)
		}
		table[name] = strings.Join(parts, " ")
	default:
		table[name] = x
	}
}
