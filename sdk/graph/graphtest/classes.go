package graphtest

import (
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/diff"
	"github.com/honeml/hone/sdk/graph/expr"
)

// Classes lists every operation, and every class of values of their attributes,
// that [Case.Classes] tells apart.
func Classes() []string {
	out := []string{
		"embed", "embed: scale 1", "embed: another scale", "embed: a table used twice", "embed: tied to a linear",
		"linear", "linear: bias", "linear: no bias", "linear: float32", "linear: weight of another", "linear: module applied twice",
		"linear: adapter on", "linear: adapter off", "linear: no adapter",
		"adapter: rslora", "adapter: plain scaling", "adapter: dropout", "adapter: no dropout", "adapter: bias of B", "adapter: no bias of B",
		"adapter: and trained weight", "adapter: and frozen weight", "adapter: and trained bias", "adapter: rank 1", "adapter: rank above 1",
		"norm", "norm: rms", "norm: layer", "norm: one group", "norm: groups", "norm: no weight", "norm: weight a group",
		"norm: weight a column", "norm: bias", "norm: no bias", "norm: plus one", "norm: small epsilon", "norm: module applied twice",
		"rope", "rope: halves", "rope: interleaved", "rope: offset", "rope: no offset", "rope: whole head", "rope: part of a head",
		"rope: factor 1", "rope: another factor", "rope: frequency 0", "rope: one head", "rope: several heads",
		"attention", "attention: one head", "attention: heads share keys", "attention: as many key heads", "attention: one key head",
		"attention: values as wide as keys", "attention: values of another width", "attention: no window", "attention: window",
		"attention: window 1", "attention: chunk", "attention: no chunk", "attention: window and chunk", "attention: cap", "attention: no cap",
		"attention: sinks", "attention: no sinks", "attention: keys of another attention", "attention: one value as two inputs",
		"map", "map: element by element", "map: a number a group", "map: a number a token", "map: a parameter a column",
		"map: a single parameter", "map: a parameter of another operation", "map: pos", "map: one input", "map: several inputs",
		"split", "split: one group", "split: groups", "split: one part", "split: several parts",
		"concat", "concat: one group", "concat: groups", "concat: repeated", "concat: one part", "concat: several parts",
		"concat: a value twice",
		"conv", "conv: kernel 1", "conv: kernel 2", "conv: kernel 3", "conv: kernel 4", "conv: bias", "conv: no bias",
		"route", "route: softmax", "route: sigmoid", "route: scores of all", "route: scores of the chosen", "route: bias", "route: no bias",
		"route: groups", "route: groups left out", "route: one group", "route: groups by their best", "route: groups by their best two",
		"route: normalised", "route: normalised with epsilon", "route: not normalised", "route: factor 1", "route: another factor",
		"route: one expert a token", "route: several experts a token",
		"expert_linear", "expert_linear: bias", "expert_linear: no bias", "expert_linear: of tokens", "expert_linear: of slots",
		"expert_linear: weighed", "expert_linear: not weighed", "expert_linear: module applied twice",
		"expert_linear: adapter on", "expert_linear: adapter off", "expert_linear: no adapter",
		"combine", "combine: weights", "combine: weights that are no route's", "combine: plain",
		"map: slots", "split: slots", "concat: slots",
		"value: used once", "value: used twice", "value: used more often", "value: unused", "value: of another layer",
		"parameter: trained", "parameter: frozen", "parameter: tied",
		"batch: one document", "batch: several documents", "batch: one-token document", "batch: weight 0", "batch: weight between",
	}
	for op := expr.Add; op <= expr.Where; op++ {
		out = append(out, primitive(op))
	}
	return out
}

func primitive(op expr.Op) string {
	if op == expr.Neg {
		return "map: minus"
	}
	return "map: " + op.String()
}

// A tally counts classes.
type tally map[string]int

func (t tally) count(class string, yes bool) {
	if yes {
		t[class]++
	}
}

// either counts one of two classes.
func (t tally) either(yes bool, class, other string) {
	if yes {
		t[class]++
	} else {
		t[other]++
	}
}

// Classes counts how often c has each of [Classes].
func (c *Case) Classes() map[string]int {
	t := tally{}
	users := make([]int, len(c.Graph.Params)) // nodes that use a parameter
	for _, n := range c.Graph.Nodes {
		ids := slices.Compact(slices.Sorted(slices.Values(graph.ParamsOf(n.Op))))
		for _, id := range ids {
			users[id]++
		}
	}
	modules := map[string]int{}
	attended := map[graph.ValueID]int{}
	for _, n := range c.Graph.Nodes {
		t[n.Op.Name()]++
		switch o := n.Op.(type) {
		case *graph.Embed:
			t.either(o.Scale == 1, "embed: scale 1", "embed: another scale")
			t.count("embed: a table used twice", c.usedBy(o.Table, "embed") > 1)
			t.count("embed: tied to a linear", c.usedBy(o.Table, "linear") > 0)
		case *graph.Linear:
			c.linear(t, o)
			modules[o.Module]++
			t.count("linear: module applied twice", modules[o.Module] == 2)
		case *graph.Norm:
			c.norm(t, o, c.Graph.Values[n.Inputs[0]].Width)
			t.count("norm: module applied twice", o.Weight != graph.NoParam && c.usedBy(o.Weight, "norm") > 1)
		case *graph.RoPE:
			rope(t, o, c.Graph.Values[n.Inputs[0]].Width)
		case *graph.Attention:
			attention(t, o, n)
			t.count("attention: keys of another attention", attended[n.Inputs[1]] > 0)
			attended[n.Inputs[1]]++
		case *graph.Map:
			c.expression(t, o, n, users)
		case *graph.Route:
			route(t, o)
		case *graph.ExpertLinear:
			c.expertLinear(t, o, n)
			modules[o.Module]++
			t.count("expert_linear: module applied twice", modules[o.Module] == 2)
		case *graph.Combine:
			t.either(o.Plain, "combine: plain", "combine: weights")
			t.count("combine: weights that are no route's", !o.Plain && c.Graph.Nodes[c.Graph.Values[n.Inputs[1]].Node].Op.Name() != "route")
		default:
			layout(t, n)
		}
		switch name := n.Op.Name(); name {
		case "map", "split", "concat":
			t.count(name+": slots", c.Graph.Values[n.Outputs[0]].Slots > 1)
		}
	}
	c.values(t)
	c.params(t, users)
	c.batch(t)
	return t
}

// usedBy is the number of nodes of an operation that use a parameter.
func (c *Case) usedBy(id graph.ParamID, op string) int {
	count := 0
	for _, n := range c.Graph.Nodes {
		if n.Op.Name() == op && slices.Contains(graph.ParamsOf(n.Op), id) {
			count++
		}
	}
	return count
}

func (c *Case) linear(t tally, o *graph.Linear) {
	t.either(o.Bias != graph.NoParam, "linear: bias", "linear: no bias")
	t.count("linear: float32", o.Float32)
	t.count("linear: weight of another", c.usedBy(o.Weight, "linear") > 1)
	c.adapter(t, o, o.Weight, o.Bias)
}

// adapter counts what the adapter of a linear, or of one of experts, is.
func (c *Case) adapter(t tally, o graph.Op, weight, bias graph.ParamID) {
	a := graph.AdapterOf(o)
	if a == nil {
		t[o.Name()+": no adapter"]++
		return
	}
	if diff.Active(o, c.Adapter) == nil {
		t[o.Name()+": adapter off"]++
		return
	}
	t[o.Name()+": adapter on"]++
	t.either(a.RSLoRA, "adapter: rslora", "adapter: plain scaling")
	t.either(a.Dropout > 0, "adapter: dropout", "adapter: no dropout")
	t.either(a.Bias != graph.NoParam, "adapter: bias of B", "adapter: no bias of B")
	t.either(c.Graph.Params[weight].Trainable, "adapter: and trained weight", "adapter: and frozen weight")
	t.count("adapter: and trained bias", bias != graph.NoParam && c.Graph.Params[bias].Trainable)
	t.either(a.Rank == 1, "adapter: rank 1", "adapter: rank above 1")
}

func route(t tally, o *graph.Route) {
	t.either(o.Sigmoid, "route: sigmoid", "route: softmax")
	t.either(o.After, "route: scores of the chosen", "route: scores of all")
	t.either(o.Bias != graph.NoParam, "route: bias", "route: no bias")
	t.either(o.Groups > 1, "route: groups", "route: one group")
	if o.Keep < o.Groups {
		t["route: groups left out"]++
		t.either(o.GroupTop > 1, "route: groups by their best two", "route: groups by their best")
	}
	t.either(o.Normalise, "route: normalised", "route: not normalised")
	t.count("route: normalised with epsilon", o.Normalise && o.NormEpsilon > 0)
	t.either(o.Factor == 1, "route: factor 1", "route: another factor")
	t.either(o.TopK == 1, "route: one expert a token", "route: several experts a token")
}

func (c *Case) expertLinear(t tally, o *graph.ExpertLinear, n *graph.Node) {
	t.either(o.Bias != graph.NoParam, "expert_linear: bias", "expert_linear: no bias")
	t.either(c.Graph.Values[n.Inputs[0]].Slots > 1, "expert_linear: of slots", "expert_linear: of tokens")
	c.adapter(t, o, o.Weight, o.Bias)
	t.either(o.WeighInput, "expert_linear: weighed", "expert_linear: not weighed")
}

func (c *Case) norm(t tally, o *graph.Norm, width int) {
	t.either(o.Centre, "norm: layer", "norm: rms")
	t.either(o.Groups > 1, "norm: groups", "norm: one group")
	t.either(o.Bias != graph.NoParam, "norm: bias", "norm: no bias")
	t.count("norm: plus one", o.PlusOne)
	t.count("norm: small epsilon", o.Epsilon <= 1e-5)
	if o.Weight == graph.NoParam {
		t["norm: no weight"]++
	} else if o.Groups > 1 {
		t.either(c.Graph.Params[o.Weight].Shape[0] == width, "norm: weight a column", "norm: weight a group")
	}
}

func rope(t tally, o *graph.RoPE, width int) {
	t.either(o.Interleaved, "rope: interleaved", "rope: halves")
	t.either(o.Offset > 0, "rope: offset", "rope: no offset")
	t.either(2*len(o.Freq) == width/o.Heads, "rope: whole head", "rope: part of a head")
	t.either(o.Factor == 1, "rope: factor 1", "rope: another factor")
	t.either(o.Heads == 1, "rope: one head", "rope: several heads")
	t.count("rope: frequency 0", slices.Contains(o.Freq, 0))
}

func attention(t tally, o *graph.Attention, n *graph.Node) {
	t.count("attention: one head", o.Heads == 1)
	t.either(o.KVHeads < o.Heads, "attention: heads share keys", "attention: as many key heads")
	t.count("attention: one key head", o.KVHeads == 1)
	t.either(o.KeyWidth == o.ValueWidth, "attention: values as wide as keys", "attention: values of another width")
	t.either(o.Window > 0, "attention: window", "attention: no window")
	t.count("attention: window 1", o.Window == 1)
	t.either(o.Chunk > 0, "attention: chunk", "attention: no chunk")
	t.count("attention: window and chunk", o.Window > 0 && o.Chunk > 0)
	t.either(o.Cap > 0, "attention: cap", "attention: no cap")
	t.either(o.Sinks != graph.NoParam, "attention: sinks", "attention: no sinks")
	t.count("attention: one value as two inputs", twice(n.Inputs))
}

func twice(inputs []graph.ValueID) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(inputs)))) < len(inputs)
}

func (c *Case) expression(t tally, o *graph.Map, n *graph.Node, users []int) {
	for _, a := range o.Args {
		if a.Param != graph.NoParam {
			t.either(c.Graph.Params[a.Param].Elements() > 1, "map: a parameter a column", "map: a single parameter")
			t.count("map: a parameter of another operation", users[a.Param] > 1)
			continue
		}
		switch c.Graph.Values[n.Inputs[a.Input]].Width {
		case o.Width:
			t["map: element by element"]++
		case 1:
			t["map: a number a token"]++
		default:
			t["map: a number a group"]++
		}
	}
	t.either(len(n.Inputs) == 1, "map: one input", "map: several inputs")
	e := must(o.Parse())
	t.count("map: pos", e.Root.UsesPos())
	for _, instr := range expr.Compile(e.Root).Instrs {
		if instr.Op >= expr.Add {
			t[primitive(instr.Op)]++
		}
	}
}

func layout(t tally, n *graph.Node) {
	switch o := n.Op.(type) {
	case *graph.Split:
		t.either(o.Groups > 1, "split: groups", "split: one group")
		t.either(len(o.Sizes) > 1, "split: several parts", "split: one part")
	case *graph.Concat:
		t.either(o.Groups > 1, "concat: groups", "concat: one group")
		t.either(len(o.Widths) > 1, "concat: several parts", "concat: one part")
		t.count("concat: repeated", o.Groups > 1 && slices.Contains(o.Repeat, true))
		t.count("concat: a value twice", twice(n.Inputs))
	case *graph.Conv:
		t[fmt.Sprintf("conv: kernel %d", o.Kernel)]++
		t.either(o.Bias != graph.NoParam, "conv: bias", "conv: no bias")
	}
}

func (c *Case) values(t tally) {
	uses := make([]int, len(c.Graph.Values))
	for i, n := range c.Graph.Nodes {
		for _, v := range n.Inputs {
			uses[v]++
			t.count("value: of another layer", i-c.Graph.Values[v].Node > 5)
		}
	}
	uses[c.Graph.Logits]++
	names := []string{"value: unused", "value: used once", "value: used twice", "value: used more often"}
	for _, u := range uses {
		t[names[min(u, 3)]]++
	}
}

func (c *Case) params(t tally, users []int) {
	for i, p := range c.Graph.Params {
		t.either(p.Trainable, "parameter: trained", "parameter: frozen")
		t.count("parameter: tied", users[i] > 1)
	}
}

func (c *Case) batch(t tally) {
	b := c.Batch
	t.either(int(b.DocEnd[0]) == b.Tokens(), "batch: one document", "batch: several documents")
	for i, w := range b.Weight {
		t.count("batch: one-token document", b.DocEnd[i]-b.DocStart[i] == 1)
		t.count("batch: weight 0", w == 0 && b.Position[i] > 0)
		t.count("batch: weight between", w != 0 && w != 1)
	}
}
