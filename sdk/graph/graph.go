package graph

// A ValueID is the index of a value in [Graph.Values].
type ValueID int

// A ParamID is the index of a parameter in [Graph.Params].
type ParamID int

// NoValue and NoParam stand where an optional value or parameter is absent.
const (
	NoValue ValueID = -1
	NoParam ParamID = -1
)

// PartNote is the note of a Graph of one part of a model whose other parts it does not
// know: the path below which the part's modules stand.
const PartNote = "part"

// A Graph is the forward pass of a model. Nodes stand in an order in which each
// comes after those whose values it reads.
//
// A Graph that a [Builder] or a plugin's answer gave is valid (see
// [Graph.Validate]) and is not changed afterwards: passes return a copy.
type Graph struct {
	// Architecture is the name that the checkpoint's configuration gives the
	// model, such as LlamaForCausalLM.
	Architecture string
	// MaxLength is the longest document, in tokens, that the RoPE frequencies
	// and windows of this Graph were made for. 0 means any.
	MaxLength int
	// Notes are facts for people and for the exported configuration, such as
	// the kind of RoPE scaling. No backend reads them.
	Notes map[string]string

	Params []*Param
	Values []*Value
	Nodes  []*Node
	// Logits is the value [T, vocabulary] that objectives are defined on.
	Logits ValueID
}

// ValueType says what the elements of a value are.
type ValueType string

// The types of values.
const (
	// Activation elements are held in the run's precision.
	Activation ValueType = "act"
	// Float32 elements are held in float32 whatever the precision: routers.
	Float32 ValueType = "f32"
	// Index elements are int32: the experts that a route chose.
	Index ValueType = "i32"
)

// A Value is a matrix that a node produces.
type Value struct {
	ID    ValueID
	Node  int // index of the node that produces it
	Width int // columns
	// Slots is the number of rows for each token: 1, but k for what an expert
	// linear gives for each of a token's k experts. Row t·Slots+s is slot s of
	// token t.
	Slots int
	Type  ValueType
}

// A Node is one operation.
type Node struct {
	// Name tells where in the model the node stands, such as
	// model.layers.3.self_attn.q_proj. It is unique.
	Name    string
	Op      Op
	Inputs  []ValueID
	Outputs []ValueID
}

// Init says what the elements of a parameter are before training, where no
// checkpoint holds them.
type Init string

// The initialisations.
const (
	InitNone  Init = ""      // read from the checkpoint
	InitZeros Init = "zeros" // LoRA's B
	// InitKaiming draws from U(−1/√in, 1/√in), in the last dimension: LoRA's A,
	// as PEFT draws it (kaiming_uniform with a = √5).
	InitKaiming Init = "kaiming"
	// InitRowNorms are the L2 norms of the rows of the linear's weight: DoRA's
	// magnitude, as B is zero.
	InitRowNorms Init = "row_norms"
	// InitPrincipal are the factors of the linear's weight cut to its largest singular
	// values: PiSSA's A and that of its Start are √(S/s)·Vᵀ, its B and that of its Start U·√(S/s), so that
	// s·B·A is that part of the weight. Package principal finds them.
	InitPrincipal Init = "principal"
)

// A Param is a tensor of weights.
type Param struct {
	ID ParamID
	// Name is unique. For weights of the model it is the name in a Hugging Face
	// checkpoint; for an adapter's, the key in PEFT's adapter_model.safetensors.
	Name  string
	Shape []int // row-major; a linear's weight is [out, in]
	Role  Role
	// Module is the path by which PEFT knows the module that owns the
	// parameter: model.layers.0.self_attn.q_proj.
	Module string
	// Source is where its values come from; nil for an adapter's parameters.
	Source *Source
	// Init says how to fill a parameter that has no Source.
	Init Init
	// Adapter names the adapter that the parameter belongs to; "" for the
	// model's own.
	Adapter string
	// Trainable marks what the optimizer updates.
	Trainable bool
}

// Elements is the number of the parameter's elements.
func (p *Param) Elements() int { return elements(p.Shape) }

// Param is the parameter with that id.
func (g *Graph) Param(id ParamID) *Param { return g.Params[id] }

// Value is the value with that id.
func (g *Graph) Value(id ValueID) *Value { return g.Values[id] }

// Vocabulary is the width of the logits.
func (g *Graph) Vocabulary() int { return g.Values[g.Logits].Width }

// IDs is the number of token ids that can be both embedded and predicted: those below
// it stand in micro-batches and prompts.
func (g *Graph) IDs() int {
	n := g.Vocabulary()
	for _, node := range g.Nodes {
		if o, ok := node.Op.(*Embed); ok {
			n = min(n, g.Params[o.Table].Shape[0])
		}
	}
	return n
}

// Linears are the indices of the nodes that are linears, in order.
func (g *Graph) Linears() []int {
	var out []int
	for i, n := range g.Nodes {
		if _, ok := n.Op.(*Linear); ok {
			out = append(out, i)
		}
	}
	return out
}

// Trainable lists the parameters that the optimizer updates, in order of id.
func (g *Graph) Trainable() []*Param {
	var out []*Param
	for _, p := range g.Params {
		if p.Trainable {
			out = append(out, p)
		}
	}
	return out
}

// Ops lists the names of the operations that g uses, each once, in order of
// first use. A kernels plugin that lacks one cannot run g.
func (g *Graph) Ops() []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		if name := n.Op.Name(); !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	return out
}

// Balanced reports whether a route of g has a balancing loss: see [Route].
func (g *Graph) Balanced() bool {
	for _, n := range g.Nodes {
		if Balances(n.Op) {
			return true
		}
	}
	return false
}

// Balances reports whether an operation is a route with a balancing loss.
func Balances(op Op) bool {
	r, ok := op.(*Route)
	return ok && r.Balance > 0
}

// Clone is a copy of g that can be changed without changing g. Operations are
// copied too; sources, which nothing changes, are shared.
func (g *Graph) Clone() *Graph {
	c := *g
	c.Params = make([]*Param, len(g.Params))
	for i, p := range g.Params {
		q := *p
		c.Params[i] = &q
	}
	c.Values = make([]*Value, len(g.Values))
	for i, v := range g.Values {
		w := *v
		c.Values[i] = &w
	}
	c.Nodes = make([]*Node, len(g.Nodes))
	for i, n := range g.Nodes {
		m := *n
		m.Op = n.Op.clone()
		c.Nodes[i] = &m
	}
	return &c
}
