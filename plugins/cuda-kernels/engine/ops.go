package engine

import "slices"

// ops are the operations that plans may have.
var ops = []string{
	"embed", "linear", "norm", "rope", "attention", "map", "split", "concat", "conv",
	"route", "expert_linear", "combine",
}

// Ops are the names of the operations that the engine runs.
func Ops() []string { return slices.Clone(ops) }

// runs reports whether a plan may have an operation.
func runs(op string) bool { return slices.Contains(ops, op) }
