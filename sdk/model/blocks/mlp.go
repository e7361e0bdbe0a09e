package blocks

import "github.com/honeml/hone/sdk/graph"

// GatedMLP is down(activation(gate(x)) · up(x)) (Shazeer, 2020) under the module
// names of Llama: mlp.{gate,up,down}_proj.
func (d Decoder) GatedMLP(b *graph.Builder, x graph.ValueID, bias bool) graph.ValueID {
	return d.GatedMLPAt(b, x, "mlp", d.Intermediate, bias)
}

// GatedMLPAt is [Decoder.GatedMLP] under another module than mlp, of another width.
func (d Decoder) GatedMLPAt(b *graph.Builder, x graph.ValueID, module string, width int, bias bool) graph.ValueID {
	with := graph.WithBias(bias)
	gate := b.Linear(x, module+".gate_proj", width, graph.RoleMLPGate, with)
	up := b.Linear(x, module+".up_proj", width, graph.RoleMLPUp, with)
	return b.Linear(b.Gated(gate, up, d.Activation, module+".act"), module+".down_proj", d.Hidden, graph.RoleMLPDown, with)
}

// FusedMLP is [Decoder.GatedMLP] where gate and up come of one linear,
// mlp.gate_up_proj, the gate first.
func (d Decoder) FusedMLP(b *graph.Builder, x graph.ValueID) graph.ValueID {
	both := b.Linear(x, "mlp.gate_up_proj", 2*d.Intermediate, graph.RoleMLPGateUp)
	parts := b.Split(both, "mlp.gate_up_split", 1, d.Intermediate, d.Intermediate)
	return b.Linear(b.Gated(parts[0], parts[1], d.Activation, "mlp.act"), "mlp.down_proj", d.Hidden, graph.RoleMLPDown)
}
