package engine

import "slices"

// ops are the operations that plans may have.
var ops = []string{"embed", "linear", "norm", "rope", "attention", "map", "split", "concat", "conv"}

// expertOps are those of mixtures of experts. No GPU has run their kernels yet. Once
// the tests of package experts, TestExperts and TestEveryValue of this one and the
// plugin's TestConformance have passed on one, they join ops, and Options.Unproven goes.
var expertOps = []string{"route", "expert_linear", "combine"}

// Ops are the names of the operations that the engine runs.
func Ops() []string { return slices.Clone(ops) }

// runs reports whether a plan may have an operation.
func (e *Engine) runs(op string) bool {
	return slices.Contains(ops, op) || e.options.Unproven && slices.Contains(expertOps, op)
}
