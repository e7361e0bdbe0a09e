package runfile

import (
	"encoding/json"
	"fmt"
	"slices"
)

// check holds a run that did not come from a run file to the table.
func (r *Run) check() error {
	if !isName(r.Name) {
		return fmt.Errorf("%q is no name of a run", r.Name)
	}
	if r.Kernels.Kind != KindKernels || !isName(r.Kernels.Name) {
		return fmt.Errorf("it has no kernels plugin")
	}
	for _, b := range r.Loggers {
		if b.Kind != KindLogger || !isName(b.Name) {
			return fmt.Errorf("a logger has the kind %q and the name %q", b.Kind, b.Name)
		}
	}
	if len(r.Data.Train) == 0 {
		return fmt.Errorf("it has no training data")
	}
	if r.MemoryLimit < 0 {
		return fmt.Errorf("its memory limit is %d bytes", r.MemoryLimit)
	}
	if err := checkRequirements(r.Requirements); err != nil {
		return err
	}
	for ref, value := range r.ownBlocks() {
		if err := checkBlock(ref, value); err != nil {
			return err
		}
	}
	return r.checkTogether()
}

// ownBlocks are the run's blocks that are not plugins'.
func (r *Run) ownBlocks() map[Ref]any {
	out := map[Ref]any{
		{Block: "run", Label: r.Name}: map[string]any{"seed": r.Seed},
		{Block: "model"}:              r.Model,
		{Block: "train"}:              r.Train,
		{Block: "evaluate"}:           r.Evaluate,
		{Block: "checkpoint"}:         r.Checkpoint,
	}
	if r.Tokens != nil {
		out[Ref{Block: "tokens"}] = r.Tokens
	}
	if r.RoPEScaling != nil {
		out[Ref{Block: "rope_scaling", Label: r.RoPEScaling.Kind}] = r.RoPEScaling
	}
	out[Ref{Block: "adapter", Label: r.Adapter.Kind}] = r.Adapter
	for i, d := range r.Data.Train {
		out[Ref{Block: "data", Label: "train", Index: i}] = d
	}
	for i, d := range r.Data.Eval {
		out[Ref{Block: "data", Label: "eval", Index: i}] = d
	}
	for i, e := range r.Exports {
		out[Ref{Block: "export", Label: e.Kind, Index: i}] = e
	}
	return out
}

// unset are attributes whose 0 means that they are not used.
func unset() []string { return []string{"epochs", "steps", "tokens_per_step", "documents_per_step"} }

func checkBlock(ref Ref, value any) error {
	spec := specOf(runBlocks(), ref.Block, ref.Label)
	if spec == nil {
		return fmt.Errorf("there is no %s", ref)
	}
	values, err := object(value)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	for _, a := range spec.Attributes {
		v, ok := values[a.Name]
		if !ok || v == "" && !a.Required || slices.Contains(unset(), a.Name) && toNumber(v) == 0 {
			continue
		}
		if err := a.Check(v); err != nil {
			return fmt.Errorf("%s: %s: %w", ref, a.Name, err)
		}
		empty, isList := v.([]any)
		if a.check == nil || isList && len(empty) == 0 && a.Default != nil && a.Name == "prompts" {
			continue
		}
		if wrong := a.check(v); wrong != "" {
			return fmt.Errorf("%s: %s %s", ref, a.Name, wrong)
		}
	}
	return nil
}

// object is a struct as JSON has it.
func object(value any) (map[string]any, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(data, &out)
}

// checkTogether checks what several attributes mean together.
func (r *Run) checkTogether() error {
	t := r.Train
	switch {
	case r.RoPEScaling != nil && !(r.RoPEScaling.Factor > 1):
		return fmt.Errorf("its positions are scaled by a factor of %v", r.RoPEScaling.Factor)
	case r.Adapter.Kind == AdapterLoRA && r.Adapter.Rank < 1:
		return fmt.Errorf("the adapter's rank is %d", r.Adapter.Rank)
	case (t.Epochs > 0) == (t.Steps > 0):
		return fmt.Errorf("it has %d epochs and %d steps, of which one has to be given", t.Epochs, t.Steps)
	case (t.TokensPerStep > 0) == (t.DocumentsPerStep > 0):
		return fmt.Errorf("a step has %d tokens and %d documents, of which one has to be given", t.TokensPerStep, t.DocumentsPerStep)
	case t.TokensPerStep > 0 && t.TokensPerStep < t.MaxLength:
		return fmt.Errorf("a step has %d tokens, and a document up to %d", t.TokensPerStep, t.MaxLength)
	case r.Data.EvalFraction < 0 || r.Data.EvalFraction >= 1 || r.Data.EvalFraction > 0 && len(r.Data.Eval) > 0:
		return fmt.Errorf("its evaluation data is a fraction of %v and %d files", r.Data.EvalFraction, len(r.Data.Eval))
	case r.Checkpoint.Best && !r.Data.hasEvaluation():
		return fmt.Errorf("its result is the best checkpoint, and nothing is evaluated")
	}
	return nil
}
