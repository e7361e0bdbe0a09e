package graph

import "slices"

// An Op is an operation with its attributes: one of *Embed, *Linear, *Norm,
// *RoPE, *Attention, *Map, *Split, *Concat, *Conv, *Route, *ExpertLinear,
// *Combine.
type Op interface {
	// Name is the operation's name in the text form and in what a kernels
	// plugin announces.
	Name() string
	clone() Op
}

// Interface guards.
var _ = []Op{
	(*Embed)(nil), (*Linear)(nil), (*Norm)(nil), (*RoPE)(nil), (*Attention)(nil), (*Map)(nil),
	(*Split)(nil), (*Concat)(nil), (*Conv)(nil), (*Route)(nil), (*ExpertLinear)(nil), (*Combine)(nil),
}

// OpNames lists the names of all operations.
func OpNames() []string {
	return []string{
		"embed", "linear", "norm", "rope", "attention", "map", "split", "concat", "conv",
		"route", "expert_linear", "combine",
	}
}

// Embed looks tokens up: y[t] = Scale · Table[id[t]].
//
// No inputs. Table [vocabulary, width]; y [T, width]. The gradient of a row of
// Table is the sum over the tokens with that id. With Rows that the call asks for,
// some rows of Table are others; see [TokenRows].
type Embed struct {
	Table ParamID
	Scale float64
	Rows  *TokenRows // nil: none
}

// Linear is y = x·Wᵀ + b, one module of the checkpoint and one target of PEFT.
//
// x [T, in], Weight [out, in], Bias [out] or NoParam; y [T, out]. Products are
// accumulated in float32. With an Adapter that the call asks for, its definition
// is added; see [Adapter]. With Rows, some rows of Weight are others; see
// [TokenRows]. Float32 asks for y in float32 (routers).
type Linear struct {
	Module  string // PEFT's path: model.layers.0.self_attn.q_proj
	Weight  ParamID
	Bias    ParamID
	Float32 bool
	Adapter *Adapter   // nil: none
	Rows    *TokenRows // nil: none
}

// TokenRows are rows of an adapter's own in a table that has one for each token:
// while the adapter is on, row IDs[k] of the table is row k of Values. A row that is
// replaced has no gradient. They are what PEFT calls trainable tokens.
type TokenRows struct {
	Adapter string  // the adapter's name; calls choose by it
	IDs     []int   // ascending
	Values  ParamID // [len(IDs), width]; a tied head shares the embedding's
}

// An Adapter is a low-rank update of a linear (Hu et al., 2021):
//
//	y += s · ((dropout(x)·Aᵀ)·Bᵀ + b)
//
// A [rank, in], B [out, rank], b [out] or NoParam; s = Alpha/Rank, or
// Alpha/√Rank with RSLoRA (Kalajdzievski, 2023). dropout multiplies an element
// by 0 or 1/(1−Dropout), by the counters of package dropout, and is the identity
// outside of training.
//
// With Magnitude m the update is DoRA (Liu et al., 2024), x' being dropout(x):
//
//	y += (n − 1) ∘ (x'·Wᵀ) + n ∘ s · (x'·Aᵀ)·Bᵀ;  n = m / ‖W + s·B·A‖
//
// with the norm of each row, through which no gradient goes. A row of W + s·B·A that
// is all zeros has no direction: there n is 1 and m has no gradient, so that B can
// give it one. There is neither b nor, in the linear, token rows then.
//
// With a Start, frozen copies A₀ and B₀ of what A and B began with, the update is what
// has changed since (PiSSA; Meng et al., 2024):
//
//	y −= s · (x·A₀ᵀ)·B₀ᵀ
//
// without dropout, as in PEFT, which takes s·B₀·A₀ out of W instead. So W stays as it
// is, and where the adapter begins the model is the base. There is no Magnitude then.
// What is saved is the plain adapter that comes to the same; see [Adapter.Plain].
//
// That of an expert linear is one such update an expert, stacked as PEFT stacks
// them: A [experts·rank, in], row e·rank + j being row j of expert e's; B
// [out, rank·experts], column j·experts + e being column j of expert e's. It has
// neither Bias, Magnitude nor Start. Where x has a row a slot, dropout goes by the slot
// too.
type Adapter struct {
	Name      string // the adapter's name; calls choose by it
	Rank      int
	Alpha     float64
	RSLoRA    bool
	Dropout   float64 // in [0, 1)
	A, B      ParamID
	Bias      ParamID // PEFT's lora_bias; NoParam: none
	Magnitude ParamID // DoRA's magnitude [out]; NoParam: none
	Start     *Start  // what A and B began with, which PiSSA takes away; nil: nothing
}

// A Start is what an adapter's A and B began with: parameters of their shapes that are
// not trained.
type Start struct{ A, B ParamID }

// Norm normalises each of Groups equal parts of a row:
//
//	x̂ = (x − μ) / √(mean((x − μ)²) + Epsilon);  y = x̂ · w + b
//
// μ is the mean for a layer norm (Centre) and 0 for an RMS norm; statistics are
// taken in float32. Weight and Bias are NoParam, [width/Groups] (the same for
// each group) or [width]. With PlusOne w is 1 + Weight.
type Norm struct {
	Centre  bool // layer norm; false: RMS norm
	Epsilon float64
	Groups  int
	Weight  ParamID
	Bias    ParamID
	PlusOne bool
}

// RoPE rotates pairs of each head's columns by angles proportional to the
// token's position (Su et al., 2021).
//
// x is [T, Heads·width]. In each head the columns from Offset to Offset+2·len(Freq)
// rotate and the others pass. Pair i is (i, i+len(Freq)), or (2i, 2i+1) if
// Interleaved, both from Offset; its angle is position·Freq[i], a float32 product:
//
//	y₁ = x₁·cos − x₂·sin;  y₂ = x₂·cos + x₁·sin
//
// cos and sin are multiplied by Factor. Frequencies are values, so that no
// backend knows a scaling kind.
type RoPE struct {
	Heads       int
	Offset      int
	Interleaved bool
	Freq        []float32
	Factor      float32
}

// Attention is causal scaled dot-product attention within each document.
//
// Inputs q [T, Heads·KeyWidth], k [T, KVHeads·KeyWidth], v [T, KVHeads·ValueWidth];
// y [T, Heads·ValueWidth]. Query head h reads key and value head
// h·KVHeads/Heads. Token i sees token j of its document if j ≤ i and, with
// positions counted in the document,
//
//	j > i − Window       where Window > 0
//	⌊i/Chunk⌋ = ⌊j/Chunk⌋ where Chunk > 0
//
// Scores are s = Scale·(q·k); with Cap > 0, Cap·tanh(s/Cap). The softmax is in
// float32. Sinks [Heads] adds to each head's denominator exp(Sinks[h]) as if it
// were one more score, and nothing to the numerator.
type Attention struct {
	Heads, KVHeads       int
	KeyWidth, ValueWidth int
	Scale                float64
	Window               int // 0: none
	Chunk                int // 0: none
	Cap                  float64
	Sinks                ParamID
}

// Map is an element-wise expression (package expr) over its arguments, giving
// y [T, Width].
//
// An argument that is a value [T, w], w dividing Width, gives column c of y its
// column ⌊c·w/Width⌋: w = Width is element by element, w = 1 one number a token,
// between them one a group. An argument that is a parameter is [Width] (one
// number a column) or [1]. The constant pos is the token's position in its
// document. Inputs may hold several rows a token (slots), all equally many.
type Map struct {
	Expr  string
	Args  []MapArg
	Width int
}

// A MapArg is a named argument of a [Map].
type MapArg struct {
	Name  string
	Input int     // index into the node's inputs; −1: a parameter
	Param ParamID // the parameter; NoParam: an input
}

// Split cuts each row of x, seen as [Groups, ΣSizes], inside each group.
//
// x [T, Groups·ΣSizes]; output i is [T, Groups·Sizes[i]].
type Split struct {
	Groups int
	Sizes  []int
}

// Concat joins its inputs inside each of Groups groups: the reverse of [Split].
//
// Input i is [T, Groups·sᵢ], y [T, Groups·Σsᵢ]. Widths[i] is the input's share sᵢ
// of a group. An input of width sᵢ, one group, is repeated over all groups where
// Groups > 1; Repeat[i] says so.
type Concat struct {
	Groups int
	Widths []int
	Repeat []bool
}

// Conv is a short causal depthwise convolution inside each document:
//
//	y[t] = Σ_{d=0}^{K−1} w[:, K−1−d] · x[t−d] + b
//
// over those t−d that are in t's document. x and y [T, width], Weight [width, K]
// with K = Kernel, Bias [width] or NoParam.
type Conv struct {
	Kernel int
	Weight ParamID
	Bias   ParamID
}

// Route chooses TopK of Experts for each token from their logits [T, Experts].
//
// Outputs: indices [T, TopK], Index, and weights [T, TopK], Float32. Scores are
// the softmax or the sigmoid of the logits, over all experts or, with After, over
// the chosen logits alone. The choice is the TopK largest of score + Bias (logit,
// with After), ties to the lower index; with Groups > 1 only experts of the Keep
// best groups stand for choice, a group's score being the sum of its GroupTop
// best. Weights are the scores without Bias, divided by their sum plus
// NormEpsilon with Normalise, times Factor. A token's experts stand in the order of
// the choice, the best first. Gradients go through the weights, never the choice.
//
// With Balance, training adds to the objective, for each document of T tokens, the sum
// of the weights of its predictions times a loss that is least where all experts get
// equally much (DeepSeek-AI, 2024, arXiv:2412.19437, equations 17 to 20):
//
//	L = Balance · Σᵢ fᵢ·Pᵢ
//	fᵢ = Experts/(TopK·T) · Σₜ [expert i is among those chosen for t]
//	Pᵢ = 1/T · Σₜ s'ₜᵢ
//
// s' are the scores over all experts, whatever After says, divided by their sum; Bias
// and Factor have no part in them. T counts all of a document's tokens; one whose
// predictions have no weight adds nothing. The gradient goes through P, f is a
// constant. A route that the logits do not depend on adds nothing. Evaluation and
// generation know nothing of it.
type Route struct {
	Experts     int
	TopK        int
	Sigmoid     bool // false: softmax
	After       bool // score after the choice
	Bias        ParamID
	Groups      int
	Keep        int
	GroupTop    int
	Normalise   bool
	NormEpsilon float64
	Factor      float64
	Balance     float64 // the coefficient of the balancing loss; 0: none
}

// ExpertLinear applies to each token's slot s the linear of the expert that the
// route chose for it: y = x·W[e]ᵀ + b[e], and what its [Adapter] adds.
//
// Inputs x [T, in] or [T·k, in], the route's indices [T, k] and, with
// WeighInput, weights [T, k], which multiply x, for the adapter too. Weight
// [Experts, out, in], Bias [Experts, out] or NoParam; y [T·k, out]. Products are
// accumulated in float32.
type ExpertLinear struct {
	Module     string // the stack's path: model.layers.0.mlp.experts.gate_up_proj
	Weight     ParamID
	Bias       ParamID
	Experts    int
	WeighInput bool
	Adapter    *Adapter
}

// Combine sums the slots of each token: y[t] = Σ_s w[t,s] · x[t,s], in float32,
// rounded once. Inputs x [T·k, width] and, unless Plain, weights [T, k];
// y [T, width]. Plain takes all weights as 1.
type Combine struct {
	Plain bool
}

// Name is "embed".
func (*Embed) Name() string { return "embed" }

// Name is "linear".
func (*Linear) Name() string { return "linear" }

// Name is "norm".
func (*Norm) Name() string { return "norm" }

// Name is "rope".
func (*RoPE) Name() string { return "rope" }

// Name is "attention".
func (*Attention) Name() string { return "attention" }

// Name is "map".
func (*Map) Name() string { return "map" }

// Name is "split".
func (*Split) Name() string { return "split" }

// Name is "concat".
func (*Concat) Name() string { return "concat" }

// Name is "conv".
func (*Conv) Name() string { return "conv" }

// Name is "route".
func (*Route) Name() string { return "route" }

// Name is "expert_linear".
func (*ExpertLinear) Name() string { return "expert_linear" }

// Name is "combine".
func (*Combine) Name() string { return "combine" }

func (o *Embed) clone() Op     { c := *o; c.Rows = o.Rows.clone(); return &c }
func (o *Norm) clone() Op      { c := *o; return &c }
func (o *Attention) clone() Op { c := *o; return &c }
func (o *Conv) clone() Op      { c := *o; return &c }
func (o *Route) clone() Op     { c := *o; return &c }
func (o *Combine) clone() Op   { c := *o; return &c }

func (o *Linear) clone() Op {
	c := *o
	c.Adapter = o.Adapter.clone()
	c.Rows = o.Rows.clone()
	return &c
}

func (o *ExpertLinear) clone() Op {
	c := *o
	c.Adapter = o.Adapter.clone()
	return &c
}

func (r *TokenRows) clone() *TokenRows {
	if r == nil {
		return nil
	}
	c := *r
	c.IDs = slices.Clone(r.IDs)
	return &c
}

func (a *Adapter) clone() *Adapter {
	if a == nil {
		return nil
	}
	c := *a
	if a.Start != nil {
		start := *a.Start
		c.Start = &start
	}
	return &c
}

func (o *RoPE) clone() Op  { c := *o; c.Freq = slices.Clone(o.Freq); return &c }
func (o *Map) clone() Op   { c := *o; c.Args = slices.Clone(o.Args); return &c }
func (o *Split) clone() Op { c := *o; c.Sizes = slices.Clone(o.Sizes); return &c }
func (o *Concat) clone() Op {
	c := *o
	c.Widths = slices.Clone(o.Widths)
	c.Repeat = slices.Clone(o.Repeat)
	return &c
}
