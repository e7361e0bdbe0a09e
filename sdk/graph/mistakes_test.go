package graph_test

import (
	"math"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

// mistakes are one for each rule.
func mistakes() []mistake {
	return []mistake{
		{"negative length", func(t *testing.T, g *graph.Graph) { g.MaxLength = -1 }, `documents of up to -1 tokens`},
		{"nil parameter", func(t *testing.T, g *graph.Graph) { g.Params[2] = nil }, `parameter 2 does not carry its own id`},
		{"id of another", func(t *testing.T, g *graph.Graph) { g.Params[2].ID = 3 }, `parameter 2 does not carry its own id`},
		{"no name", func(t *testing.T, g *graph.Graph) { g.Params[2].Name = "" }, `parameter 2 "": it has no name`},
		{"name twice", func(t *testing.T, g *graph.Graph) { g.Params[2].Name = g.Params[1].Name }, `parameter 2 "model.layers.0.norm.weight": its name stands twice`},
		{"no dimensions", func(t *testing.T, g *graph.Graph) { g.Params[2].Shape = nil }, `"model.layers.0.norm.bias": its shape is []`},
		{"five dimensions", func(t *testing.T, g *graph.Graph) { g.Params[2].Shape = []int{1, 1, 1, 1, 8} }, `its shape is [1 1 1 1 8]`},
		{"a dimension of 0", func(t *testing.T, g *graph.Graph) { g.Params[2].Shape = []int{0} }, `its shape is [0]`},
		{"a negative dimension", func(t *testing.T, g *graph.Graph) { g.Params[2].Shape = []int{-8} }, `its shape is [-8]`},
		{"a dimension beyond all", func(t *testing.T, g *graph.Graph) { g.Params[2].Shape = []int{1 << 30} }, `its shape is [1073741824]`},
		{"more elements than fit", func(t *testing.T, g *graph.Graph) { g.Params[2].Shape = []int{1 << 28, 1 << 28, 1 << 28} }, `its shape is`},
		{"a role of capitals", func(t *testing.T, g *graph.Graph) { g.Params[2].Role = "Norm" }, `its role is "Norm"`},
		{"no source and no initialisation", func(t *testing.T, g *graph.Graph) { g.Params[2].Source = nil }, `needs either a source or an initialisation`},
		{"a source and an initialisation", func(t *testing.T, g *graph.Graph) { g.Params[2].Init = graph.InitZeros }, `needs either a source or an initialisation`},
		{"unknown initialisation", func(t *testing.T, g *graph.Graph) { g.Params[2].Source, g.Params[2].Init = nil, "ones" }, `unknown initialisation "ones"`},
		{"an unknown source", func(t *testing.T, g *graph.Graph) { g.Params[2].Source = &graph.Source{Op: "sort"} }, `unknown operation "sort"`},
		{"a parameter that nothing uses", func(t *testing.T, g *graph.Graph) {
			g.Params = append(g.Params, &graph.Param{ID: graph.ParamID(len(g.Params)), Name: "x", Shape: []int{1}, Role: "x", Init: graph.InitZeros})
		}, `no node uses parameter "x"`},
		{"nil node", func(t *testing.T, g *graph.Graph) { g.Nodes[3] = nil }, `node 3 is empty`},
		{"no operation", func(t *testing.T, g *graph.Graph) { g.Nodes[3].Op = nil }, `node 3 is empty`},
		{"a nil operation", func(t *testing.T, g *graph.Graph) { g.Nodes[3].Op = (*graph.Linear)(nil) }, `node 3 is empty`},
		{"no node name", func(t *testing.T, g *graph.Graph) { g.Nodes[3].Name = "" }, `node 3 (linear): its name "" is empty or stands twice`},
		{"a node name twice", func(t *testing.T, g *graph.Graph) { g.Nodes[3].Name = g.Nodes[2].Name }, `its name "model.layers.0.attn.q" is empty or stands twice`},
		{"an input from below", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Inputs[0] = 9 }, `node 1 "model.layers.0.norm" (norm): input 0, value 9, is produced by no earlier node`},
		{"an input that is none", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Inputs[0] = -1 }, `input 0, value -1`},
		{"an input beyond all", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Inputs[0] = 999 }, `input 0, value 999`},
		{"its own output", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Inputs[0] = 1 }, `input 0, value 1`},
		{"an output too many", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Outputs = append(g.Nodes[1].Outputs, 2) }, `has 2 outputs, the operation gives 1`},
		{"no output", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Outputs = nil }, `has 0 outputs, the operation gives 1`},
		{"another's output", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Outputs[0] = 0 }, `output 0, value 0, does not exist or is another node's`},
		{"an output beyond all", func(t *testing.T, g *graph.Graph) { g.Nodes[1].Outputs[0] = 999 }, `output 0, value 999`},
		{"a value of another width", func(t *testing.T, g *graph.Graph) { g.Values[1].Width = 9 }, `output 0 is [T 9], the operation gives [T 8]`},
		{"a value of another node", func(t *testing.T, g *graph.Graph) { g.Values[1].Node = 2 }, `output 0, value 1, does not carry its own id and node`},
		{"a value of another type", func(t *testing.T, g *graph.Graph) { g.Values[1].Type = graph.Float32 }, `output 0 is [T 8] f32`},
		{"a value of more slots", func(t *testing.T, g *graph.Graph) { g.Values[1].Slots = 2 }, `output 0 is [T*2 8]`},
		{"a nil value", func(t *testing.T, g *graph.Graph) { g.Values[1] = nil }, `output 0, value 1, does not carry`},
		{"a value that nothing produces", func(t *testing.T, g *graph.Graph) {
			g.Values = append(g.Values, &graph.Value{ID: 28, Width: 1, Slots: 1, Type: graph.Activation})
		}, `no node produces value 28`},
		{"no logits", func(t *testing.T, g *graph.Graph) { g.Logits = graph.NoValue }, `it has no logits`},
		{"logits beyond all", func(t *testing.T, g *graph.Graph) { g.Logits = 999 }, `it has no logits`},
		{"indices as logits", func(t *testing.T, g *graph.Graph) { g.Logits = 16 }, `its logits are [T 2] i32`},
		{"slots as logits", func(t *testing.T, g *graph.Graph) { g.Logits = 18 }, `its logits are [T*2 6]`},
		{"a parameter that is none", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "lm_head").Weight = 999 }, `"lm_head" (linear): refers to parameter 999`},
		{"a negative parameter", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "lm_head").Weight = -7 }, `refers to parameter -7`},
		{"embed with an input", func(t *testing.T, g *graph.Graph) {
			g.Nodes[2] = &graph.Node{Name: "e", Op: &graph.Embed{Table: 0}, Inputs: []graph.ValueID{0}, Outputs: g.Nodes[2].Outputs}
		}, `"e" (embed): takes 0 inputs, got 1`},
		{"embed without a table", func(t *testing.T, g *graph.Graph) { op[*graph.Embed](t, g, "model.embed").Table = graph.NoParam }, `"model.embed" (embed): has no table`},
		{"embed of a vector", func(t *testing.T, g *graph.Graph) {
			op[*graph.Embed](t, g, "model.embed").Table = param(t, g, "norm.weight")
		}, `table "norm.weight" has shape [8], want 2 dimensions`},
		{"embed by NaN", func(t *testing.T, g *graph.Graph) { op[*graph.Embed](t, g, "model.embed").Scale = math.NaN() }, `scale is NaN`},
		{"linear of two inputs", func(t *testing.T, g *graph.Graph) { node(t, g, "lm_head").Inputs = []graph.ValueID{25, 25} }, `"lm_head" (linear): takes one input, got 2`},
		{"linear of indices", func(t *testing.T, g *graph.Graph) { node(t, g, "lm_head").Inputs[0] = 16 }, `input 0 is [T 2] i32, not one row of numbers a token`},
		{"linear of slots", func(t *testing.T, g *graph.Graph) { node(t, g, "lm_head").Inputs[0] = 22 }, `input 0 is [T*2 8], not one row of numbers a token`},
		{"linear of another width", func(t *testing.T, g *graph.Graph) { node(t, g, "lm_head").Inputs[0] = 11 }, `input has width 18, weight "lm_head.weight" takes 8`},
		{"linear without a module", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "lm_head").Module = "" }, `has no module path`},
		{"linear without a weight", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "lm_head").Weight = graph.NoParam }, `has no weight`},
		{"linear with a bias of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "lm_head").Bias = param(t, g, "norm.weight")
		}, `bias "norm.weight" has shape [8], want [32]`},
		{"linear of float32", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "lm_head").Float32 = true }, `output 0 is [T 32], the operation gives [T 32] f32`},
		{"adapter without a name", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Name = "" }, `its adapter has no name`},
		{"adapter of rank 0", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Rank = 0 }, `its adapter has rank 0`},
		{"adapter of another rank", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Rank = 3 }, `A "base_model.model.model.layers.0.attn.q.lora_A.weight" has shape [2 8], want [3 8]`},
		{"adapter of a rank beyond all", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Rank = math.MaxInt
		}, `its adapter has rank`},
		{"adapter of alpha 0", func(t *testing.T, g *graph.Graph) { op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Alpha = 0 }, `its adapter has alpha 0`},
		{"adapter of alpha NaN", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Alpha = math.NaN()
		}, `its adapter has alpha NaN`},
		{"adapter of dropout 1", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Dropout = 1
		}, `its adapter has dropout 1`},
		{"adapter without A", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.A = graph.NoParam
		}, `its adapter lacks A or B`},
		{"adapter with A for B", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.B = op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.A
		}, `B "base_model.model.model.layers.0.attn.q.lora_A.weight" has shape [2 8], want [8 2]`},
		{"adapter with a bias of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.Bias = param(t, g, "norm.weight")
		}, `has the parameter "norm.weight", which belongs to ""`},
		{"adapter with a magnitude and a bias", func(t *testing.T, g *graph.Graph) { magnitude(t, g, 8) }, `its adapter has a magnitude and a bias`},
		{"adapter with a magnitude of another width", func(t *testing.T, g *graph.Graph) {
			magnitude(t, g, 7).Bias = graph.NoParam
		}, `magnitude "magnitude" has shape [7], want [8]`},
		{"adapter with half a start", func(t *testing.T, g *graph.Graph) { start(t, g, 8).Start.B = graph.NoParam }, `its adapter's start lacks A or B`},
		{"adapter with a start of another width", func(t *testing.T, g *graph.Graph) { start(t, g, 7) }, `start of A "start.A" has shape [2 7], want [2 8]`},
		{"adapter with a start that is nowhere", func(t *testing.T, g *graph.Graph) { start(t, g, 8).Start.A = 999 }, `refers to parameter 999`},
		{"adapter with a start that is trained", func(t *testing.T, g *graph.Graph) {
			g.Params[start(t, g, 8).Start.B].Trainable = true
		}, `its adapter's start "start.B" is trained; it has to stay what A and B began with`},
		{"adapter with a start and a magnitude", func(t *testing.T, g *graph.Graph) {
			start(t, g, 8)
			magnitude(t, g, 8).Bias = graph.NoParam
		}, `its adapter has a magnitude and a start`},
		{"token rows beside a magnitude", func(t *testing.T, g *graph.Graph) {
			magnitude(t, g, 8).Bias = graph.NoParam
			rows := &graph.Param{ID: graph.ParamID(len(g.Params)), Name: "rows", Shape: []int{1, 8}, Role: "x", Init: graph.InitZeros, Adapter: "default"}
			g.Params = append(g.Params, rows)
			op[*graph.Linear](t, g, "model.layers.0.attn.q").Rows = &graph.TokenRows{Adapter: "default", IDs: []int{3}, Values: rows.ID}
		}, `node 2 "model.layers.0.attn.q" (linear): has token rows beside a magnitude`},
		{"adapter with a parameter of another", func(t *testing.T, g *graph.Graph) {
			g.Params[op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter.A].Adapter = "other"
		}, `its adapter "default" has the parameter "base_model.model.model.layers.0.attn.q.lora_A.weight", which belongs to "other"`},
		{"an adapter's parameter as the model's own", func(t *testing.T, g *graph.Graph) { g.Params[param(t, g, "norm.weight")].Adapter = "default" }, `node "norm" uses parameter "norm.weight", which belongs to the adapter "default", as its own`},
		{"norm of no groups", func(t *testing.T, g *graph.Graph) { op[*graph.Norm](t, g, "model.layers.0.norm").Groups = 0 }, `"model.layers.0.norm" (norm): 0 groups of a width of 8`},
		{"norm of groups that do not divide", func(t *testing.T, g *graph.Graph) { op[*graph.Norm](t, g, "model.layers.0.norm").Groups = 3 }, `3 groups of a width of 8`},
		{"norm with a negative epsilon", func(t *testing.T, g *graph.Graph) { op[*graph.Norm](t, g, "model.layers.0.norm").Epsilon = -1e-9 }, `epsilon is -1e-09`},
		{"norm with epsilon NaN", func(t *testing.T, g *graph.Graph) { op[*graph.Norm](t, g, "model.layers.0.norm").Epsilon = math.NaN() }, `epsilon is NaN`},
		{"norm with infinite epsilon", func(t *testing.T, g *graph.Graph) { op[*graph.Norm](t, g, "model.layers.0.norm").Epsilon = math.Inf(1) }, `epsilon is +Inf`},
		{"norm with a bias alone", func(t *testing.T, g *graph.Graph) {
			op[*graph.Norm](t, g, "model.layers.0.norm").Weight = graph.NoParam
		}, `has a bias or plus_one, but no weight`},
		{"norm plus one of nothing", func(t *testing.T, g *graph.Graph) { op[*graph.Norm](t, g, "model.layers.0.attn.k_norm").PlusOne = true }, `has a bias or plus_one, but no weight`},
		{"norm with a weight of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Norm](t, g, "model.layers.0.norm").Weight = param(t, g, "model.layers.0.attn.sinks")
		}, `weight "model.layers.0.attn.sinks" has shape [2], want [8]`},
		{"norm with a bias of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Norm](t, g, "model.layers.0.norm").Bias = param(t, g, "model.layers.0.attn.sinks")
		}, `bias "model.layers.0.attn.sinks" has shape [2], want [8]`},
		{"rope of no heads", func(t *testing.T, g *graph.Graph) { op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Heads = 0 }, `"model.layers.0.attn.q_rope" (rope): 0 heads of a width of 8`},
		{"rope of heads that do not divide", func(t *testing.T, g *graph.Graph) { op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Heads = 3 }, `3 heads of a width of 8`},
		{"rope without frequencies", func(t *testing.T, g *graph.Graph) { op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Freq = nil }, `rotates 0 columns`},
		{"rope with too many frequencies", func(t *testing.T, g *graph.Graph) {
			op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Freq = make([]float32, 2)
		}, `rotates 4 columns from 1 of a head of 4`},
		{"rope with a negative offset", func(t *testing.T, g *graph.Graph) { op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Offset = -1 }, `rotates 2 columns from -1`},
		{"rope with an offset beyond all", func(t *testing.T, g *graph.Graph) {
			op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Offset = math.MaxInt
		}, `rotates 2 columns from 9223372036854775807`},
		{"rope with a frequency that is NaN", func(t *testing.T, g *graph.Graph) {
			op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Freq[0] = float32(math.NaN())
		}, `frequency 0 is NaN`},
		{"rope with an infinite factor", func(t *testing.T, g *graph.Graph) {
			op[*graph.RoPE](t, g, "model.layers.0.attn.q_rope").Factor = float32(math.Inf(-1))
		}, `factor is -Inf`},
		{"attention of two inputs", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.0.attn").Inputs = []graph.ValueID{8, 9} }, `"model.layers.0.attn" (attention): takes 3 inputs, got 2`},
		{"attention of no heads", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").Heads = 0 }, `0 heads of 4 and 1 columns over 2 key heads`},
		{"attention of no key heads", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").KVHeads = 0 }, `over 0 key heads`},
		{"attention of more key heads", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").KVHeads = 4 }, `2 heads of 4 and 1 columns over 4 key heads`},
		{"attention of no key columns", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").KeyWidth = 0 }, `2 heads of 0 and 1 columns`},
		{"attention of wider keys", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").KeyWidth = 5 }, `queries have width 8, want 2 heads of 5`},
		{"attention of wider values", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").ValueWidth = 2 }, `values have width 2, want 2 heads of 2`},
		{"attention with one key head of two", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").KVHeads = 1 }, `keys have width 8, want 1 heads of 4`},
		{"attention with heads beyond all", func(t *testing.T, g *graph.Graph) {
			op[*graph.Attention](t, g, "model.layers.0.attn").Heads = math.MaxInt - 1
		}, `heads of 4`},
		{"attention with a negative window", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").Window = -1 }, `window -1, chunk 64, cap 30: none may be negative`},
		{"attention with a negative chunk", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").Chunk = -1 }, `chunk -1`},
		{"attention with a negative cap", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").Cap = -1 }, `cap -1`},
		{"attention with cap NaN", func(t *testing.T, g *graph.Graph) { op[*graph.Attention](t, g, "model.layers.0.attn").Cap = math.NaN() }, `cap NaN`},
		{"attention with scale NaN", func(t *testing.T, g *graph.Graph) {
			op[*graph.Attention](t, g, "model.layers.0.attn").Scale = math.NaN()
		}, `scale is NaN`},
		{"attention with an infinite cap", func(t *testing.T, g *graph.Graph) {
			op[*graph.Attention](t, g, "model.layers.0.attn").Cap = math.Inf(1)
		}, `cap is +Inf`},
		{"attention with sinks for other heads", func(t *testing.T, g *graph.Graph) {
			op[*graph.Attention](t, g, "model.layers.0.attn").Sinks = param(t, g, "norm.weight")
		}, `sinks "norm.weight" has shape [8], want [2]`},
		{"map of width 0", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Width = 0 }, `"model.layers.1.mix" (map): width 0`},
		{"map of a width beyond all", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Width = 1 << 40 }, `width 1099511627776`},
		{"map of another width", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Width = 16 }, `argument "w", parameter "model.layers.1.scale" has shape [8], want [16]`},
		{"map that does not parse", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Expr = "x + + w * y" }, `expression "x + + w * y": at byte 5`},
		{"map that does not use an argument", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Expr = "x * y" }, `argument "w" is not used`},
		{"map with an argument that is both", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Args[0].Param = 0 }, `argument "x" is to be either an input or a parameter`},
		{"map with an argument that is neither", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Args[0].Input = -1 }, `argument "x" is to be either an input or a parameter`},
		{"map with an input beyond all", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Args[0].Input = 5 }, `argument "x" is input 5 of 2`},
		{"map with an input twice", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Args[0].Input = 1 }, `argument "y" is input 1 of 2, or is doubled`},
		{"map with an input that is no argument", func(t *testing.T, g *graph.Graph) {
			node(t, g, "model.layers.1.mix").Inputs = append(node(t, g, "model.layers.1.mix").Inputs, 0)
		}, `an input is no argument`},
		{"map with two arguments of one name", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Args[0].Name = "y" }, `two arguments are named "y"`},
		{"map with an argument named as a function", func(t *testing.T, g *graph.Graph) { op[*graph.Map](t, g, "model.layers.1.mix").Args[0].Name = "exp" }, `"exp" cannot name an argument`},
		{"map of indices", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.mix").Inputs[1] = 16 }, `input 1 is [T 2] i32, want numbers`},
		{"map of rows and slots", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.mix").Inputs[1] = 22 }, `input 1 is [T*2 8], want numbers, 1 rows a token`},
		{"map of a width that does not divide", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.mix").Inputs[1] = 3 }, `argument "y" has width 10, which does not divide 8`},
		{"split of two inputs", func(t *testing.T, g *graph.Graph) {
			node(t, g, "model.layers.0.attn.split").Inputs = []graph.ValueID{3, 3}
		}, `"model.layers.0.attn.split" (split): takes one input, got 2`},
		{"split of indices", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.experts.split").Inputs[0] = 16 }, `input 0 is [T 2] i32, want numbers`},
		{"split into nothing", func(t *testing.T, g *graph.Graph) { op[*graph.Split](t, g, "model.layers.0.attn.split").Sizes = nil }, `parts of 0 columns in all`},
		{"split of a size of 0", func(t *testing.T, g *graph.Graph) { op[*graph.Split](t, g, "model.layers.0.attn.split").Sizes[0] = 0 }, `a part of size 0`},
		{"split of a size beyond all", func(t *testing.T, g *graph.Graph) {
			op[*graph.Split](t, g, "model.layers.0.attn.split").Sizes[0] = math.MaxInt
		}, `a part of size 9223372036854775807`},
		{"split of no groups", func(t *testing.T, g *graph.Graph) { op[*graph.Split](t, g, "model.layers.0.attn.split").Groups = 0 }, `0 groups of [4 1] do not make a width of 10`},
		{"split of sizes that do not add up", func(t *testing.T, g *graph.Graph) { op[*graph.Split](t, g, "model.layers.0.attn.split").Sizes[0] = 3 }, `2 groups of [3 1] do not make a width of 10`},
		{"concat of no inputs", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.0.attn.concat").Inputs = nil }, `"model.layers.0.attn.concat" (concat): 0 inputs, 2 widths, 2 repeats`},
		{"concat of fewer widths", func(t *testing.T, g *graph.Graph) {
			op[*graph.Concat](t, g, "model.layers.0.attn.concat").Widths = []int{1}
		}, `2 inputs, 1 widths, 2 repeats`},
		{"concat of fewer repeats", func(t *testing.T, g *graph.Graph) { op[*graph.Concat](t, g, "model.layers.0.attn.concat").Repeat = nil }, `2 inputs, 2 widths, 0 repeats`},
		{"concat of no groups", func(t *testing.T, g *graph.Graph) { op[*graph.Concat](t, g, "model.layers.0.attn.concat").Groups = 0 }, `0 groups of 9 columns`},
		{"concat of groups beyond all", func(t *testing.T, g *graph.Graph) {
			op[*graph.Concat](t, g, "model.layers.0.attn.concat").Groups = math.MaxInt
		}, `groups of 9 columns`},
		{"concat of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Concat](t, g, "model.layers.0.attn.concat").Widths[0] = 2
		}, `input 0 has width 2, want 4`},
		{"concat that does not repeat", func(t *testing.T, g *graph.Graph) {
			op[*graph.Concat](t, g, "model.layers.0.attn.concat").Repeat[1] = false
		}, `input 1 has width 8, want 16`},
		{"concat of indices", func(t *testing.T, g *graph.Graph) {
			node(t, g, "model.layers.0.attn.concat").Op = &graph.Concat{}
			node(t, g, "model.layers.1.mix").Op, node(t, g, "model.layers.1.mix").Inputs = &graph.Concat{Groups: 1, Widths: []int{2}, Repeat: []bool{false}}, []graph.ValueID{16}
		}, `(concat)`},
		{"conv of two inputs", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.conv").Inputs = []graph.ValueID{13, 13} }, `"model.layers.1.conv" (conv): takes one input, got 2`},
		{"conv of no taps", func(t *testing.T, g *graph.Graph) { op[*graph.Conv](t, g, "model.layers.1.conv").Kernel = 0 }, `a kernel of 0 taps, or no weight`},
		{"conv of taps beyond all", func(t *testing.T, g *graph.Graph) { op[*graph.Conv](t, g, "model.layers.1.conv").Kernel = 65 }, `a kernel of 65 taps`},
		{"conv without a weight", func(t *testing.T, g *graph.Graph) {
			op[*graph.Conv](t, g, "model.layers.1.conv").Weight = graph.NoParam
		}, `a kernel of 3 taps, or no weight`},
		{"conv of another number of taps", func(t *testing.T, g *graph.Graph) { op[*graph.Conv](t, g, "model.layers.1.conv").Kernel = 4 }, `weight "model.layers.1.conv.weight" has shape [8 3], want [8 4]`},
		{"conv with a bias of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Conv](t, g, "model.layers.1.conv").Bias = param(t, g, "model.layers.0.attn.sinks")
		}, `bias "model.layers.0.attn.sinks" has shape [2], want [8]`},
		{"route of two inputs", func(t *testing.T, g *graph.Graph) {
			node(t, g, "model.layers.1.route").Inputs = []graph.ValueID{15, 15}
		}, `"model.layers.1.route" (route): takes one input, got 2`},
		{"route of other experts", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Experts = 5 }, `logits of width 4 for 5 experts`},
		{"route of none chosen", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").TopK = 0 }, `top 0 of 4 experts`},
		{"route of more chosen", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").TopK = 5 }, `top 5 of 4 experts`},
		{"route of groups that do not divide", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Groups = 3 }, `1 of 3 groups of 4 experts`},
		{"route of no groups", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Groups = 0 }, `1 of 0 groups of 4 experts`},
		{"route that keeps none", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Keep = 0 }, `0 of 2 groups of 4 experts`},
		{"route that keeps more", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Keep = 3 }, `3 of 2 groups of 4 experts`},
		{"route scored by none", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").GroupTop = 0 }, `groups of 2 experts scored by 0`},
		{"route scored by more", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").GroupTop = 3 }, `groups of 2 experts scored by 3`},
		{"route that keeps too few", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").TopK = 3 }, `1 kept groups of 2 experts hold fewer than 3`},
		{"route with a bias of another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.Route](t, g, "model.layers.1.route").Bias = param(t, g, "norm.weight")
		}, `bias "norm.weight" has shape [8], want [4]`},
		{"route by NaN", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Factor = math.NaN() }, `factor is NaN`},
		{"route balanced by NaN", func(t *testing.T, g *graph.Graph) {
			op[*graph.Route](t, g, "model.layers.1.route").Balance = math.NaN()
		}, `balance is NaN`},
		{"route balanced without end", func(t *testing.T, g *graph.Graph) {
			op[*graph.Route](t, g, "model.layers.1.route").Balance = math.Inf(1)
		}, `balance is +Inf`},
		{"route unbalanced", func(t *testing.T, g *graph.Graph) { op[*graph.Route](t, g, "model.layers.1.route").Balance = -0.1 }, `balance is -0.1, below 0`},
		{"route normalised by NaN", func(t *testing.T, g *graph.Graph) {
			op[*graph.Route](t, g, "model.layers.1.route").NormEpsilon = math.NaN()
		}, `epsilon is NaN`},
		{"experts of one input", func(t *testing.T, g *graph.Graph) {
			node(t, g, "model.layers.1.experts.up").Inputs = []graph.ValueID{14}
		}, `"model.layers.1.experts.up" (expert_linear): takes 2 inputs, got 1`},
		{"experts that weigh without weights", func(t *testing.T, g *graph.Graph) {
			op[*graph.ExpertLinear](t, g, "model.layers.1.experts.up").WeighInput = true
		}, `takes 3 inputs, got 2`},
		{"experts weighed by another width", func(t *testing.T, g *graph.Graph) {
			op[*graph.ExpertLinear](t, g, "model.layers.1.experts.up").WeighInput = true
			node(t, g, "model.layers.1.experts.up").Inputs = []graph.ValueID{14, 16, 15}
		}, `its weights are [T 4] f32, want width 2`},
		{"experts without indices", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.experts.up").Inputs[1] = 17 }, `its second input is [T 2] f32, want a route's indices`},
		{"experts of another width", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.experts.up").Inputs[0] = 15 }, `input is [T 4] f32, weight [4 6 8] with 2 experts a token`},
		{"experts of another number", func(t *testing.T, g *graph.Graph) {
			op[*graph.ExpertLinear](t, g, "model.layers.1.experts.up").Experts = 3
		}, `3 experts, weight [4 6 8]`},
		{"experts without a weight", func(t *testing.T, g *graph.Graph) {
			op[*graph.ExpertLinear](t, g, "model.layers.1.experts.up").Weight = graph.NoParam
		}, `has no weight`},
		{"experts of a matrix", func(t *testing.T, g *graph.Graph) {
			op[*graph.ExpertLinear](t, g, "model.layers.1.experts.up").Weight = param(t, g, "lm_head.weight")
		}, `weight "lm_head.weight" has shape [32 8], want 3 dimensions`},
		{"experts with a bias of another shape", func(t *testing.T, g *graph.Graph) {
			op[*graph.ExpertLinear](t, g, "model.layers.1.experts.up").Bias = param(t, g, "lm_head.weight")
		}, `bias "lm_head.weight" has shape [32 8], want [4 6]`},
		{"combine of one input", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.combine").Inputs = []graph.ValueID{22} }, `"model.layers.1.combine" (combine): takes 2 inputs, got 1`},
		{"plain combine of two inputs", func(t *testing.T, g *graph.Graph) { op[*graph.Combine](t, g, "model.layers.1.combine").Plain = true }, `takes one input, got 2`},
		{"combine of indices", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.combine").Inputs[0] = 16 }, `input is [T 2] i32`},
		{"combine by other weights", func(t *testing.T, g *graph.Graph) { node(t, g, "model.layers.1.combine").Inputs[1] = 15 }, `weights are [T 4] f32 for 2 slots a token`},
	}
}

// start gives an adapter, whose rank is 2, what it began with, from a width.
func start(t *testing.T, g *graph.Graph, width int) *graph.Adapter {
	t.Helper()
	a := op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter
	add := func(name string, shape ...int) graph.ParamID {
		p := &graph.Param{ID: graph.ParamID(len(g.Params)), Name: name, Shape: shape, Role: graph.RoleLoRA, Init: graph.InitPrincipal, Adapter: a.Name}
		g.Params = append(g.Params, p)
		return p.ID
	}
	a.Start = &graph.Start{A: add("start.A", 2, width), B: add("start.B", width, 2)}
	return a
}

// magnitude gives an adapter a magnitude of that width.
func magnitude(t *testing.T, g *graph.Graph, width int) *graph.Adapter {
	t.Helper()
	a := op[*graph.Linear](t, g, "model.layers.0.attn.q").Adapter
	p := &graph.Param{ID: graph.ParamID(len(g.Params)), Name: "magnitude", Shape: []int{width}, Role: graph.RoleLoRA, Init: graph.InitRowNorms, Adapter: a.Name}
	g.Params = append(g.Params, p)
	a.Magnitude = p.ID
	return a
}
