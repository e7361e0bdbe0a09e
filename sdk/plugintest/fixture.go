package plugintest

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// The dimensions of the kit's model. Widths are such that every backend has kernels for
// them.
const (
	vocabulary = 80
	hidden     = 64
	inner      = 128
	layers     = 2
	heads      = 2
	headWidth  = 64
	maxLength  = 48 // tokens of a document, and what micro-batches are packed to
	maxSteps   = 8  // of a run
)

// smallModel is a decoder as many are: grouped queries, RoPE, gated MLP, an untied head.
func smallModel() (*graph.Graph, error) {
	b := graph.New("PlugintestForCausalLM")
	b.MaxLength(maxLength)
	freq := make([]float32, headWidth/2)
	for i := range freq {
		freq[i] = float32(math.Pow(10000, -2*float64(i)/headWidth))
	}
	x := b.Embed("model.embed_tokens.weight", vocabulary, hidden)
	for i := range layers {
		b.Scope("model.layers.%d", i)
		h := b.RMSNorm(x, "input_layernorm", 1e-5)
		q := b.Linear(h, "self_attn.q_proj", heads*headWidth, graph.RoleAttnQ)
		k := b.Linear(h, "self_attn.k_proj", headWidth, graph.RoleAttnK)
		v := b.Linear(h, "self_attn.v_proj", headWidth, graph.RoleAttnV)
		q = b.RoPE(q, "self_attn.q_rope", graph.RoPE{Heads: heads, Freq: freq, Factor: 1})
		k = b.RoPE(k, "self_attn.k_rope", graph.RoPE{Heads: 1, Freq: freq, Factor: 1})
		y := b.Attention(q, k, v, "self_attn", graph.AttentionSpec{Heads: heads, KVHeads: 1, Scale: 1 / math.Sqrt(headWidth)})
		x = b.Add(x, b.Linear(y, "self_attn.o_proj", hidden, graph.RoleAttnO), "self_attn.residual")
		h = b.RMSNorm(x, "post_attention_layernorm", 1e-5)
		gate := b.Linear(h, "mlp.gate_proj", inner, graph.RoleMLPGate)
		up := b.Linear(h, "mlp.up_proj", inner, graph.RoleMLPUp)
		y = b.Linear(b.Gated(gate, up, "silu", "mlp.act"), "mlp.down_proj", hidden, graph.RoleMLPDown)
		x = b.Add(x, y, "mlp.residual")
	}
	b.Scope("")
	b.Logits(b.Linear(b.RMSNorm(x, "model.norm", 1e-5), "lm_head", vocabulary, graph.RoleHead))
	return b.Graph()
}

// A fixture is a Graph with weights in files.
type fixture struct {
	graph      *graph.Graph
	adapter    string // the adapter that is trained; "" for none
	values     [][]float64
	checkpoint string // a folder; its one file is model.safetensors
	peft       string // a folder with the adapter; "" where the graph has none

	random *kernels.RandomWeights // instead of the files; nil: these
}

// loadRequest asks for the fixture's weights.
func (f *fixture) loadRequest() *kernels.LoadRequest {
	if f.random != nil {
		return &kernels.LoadRequest{Random: f.random, Adapter: f.peft}
	}
	return &kernels.LoadRequest{Checkpoint: []string{f.checkpoint}, Adapter: f.peft}
}

// trained says what of the kit's model is trained.
type trained struct {
	full    bool // all of the model's own
	dropout float64
	bias    bool // a bias in the adapter
	dora    bool
	pissa   bool
}

// newFixture writes the kit's model into dir.
func newFixture(dir string, what trained) (*fixture, error) {
	g, err := smallModel()
	if err != nil {
		return nil, err
	}
	f := &fixture{}
	if what.full {
		f.graph = adapt.Full(g)
	} else {
		f.adapter = adapt.DefaultName
		l := adapt.LoRA{
			Rank: 8, Alpha: 16, Dropout: what.dropout, Targets: []string{adapt.Auto}, LoRABias: what.bias, DoRA: what.dora,
		}
		if what.pissa {
			l.Init = adapt.InitPiSSA
		}
		f.graph, err = adapt.Apply(g, l)
		if err != nil {
			return nil, err
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range f.graph.Params {
		f.values = append(f.values, randomValues(rng, p))
	}
	return f, f.write(dir)
}

// randomValues are a parameter's elements, numbers that bfloat16 holds.
func randomValues(rng *rand.Rand, p *graph.Param) []float64 {
	mean, deviation := 0.0, 0.1
	switch {
	case p.Role == graph.RoleNorm || p.Init == graph.InitRowNorms:
		mean = 1
	case p.Role == graph.RoleEmbed:
		deviation = 1
	case len(p.Shape) == 2:
		deviation = 1 / math.Sqrt(float64(p.Shape[1]))
	}
	out := make([]float64, p.Elements())
	for i := range out {
		out[i] = interp.BFloat16(mean + deviation*rng.NormFloat64())
	}
	return out
}

// write makes the files of the fixture's values in new folders below dir.
func (f *fixture) write(dir string) error {
	var err error
	if f.checkpoint, err = os.MkdirTemp(dir, "model-"); err != nil {
		return err
	}
	if err := WriteCheckpoint(filepath.Join(f.checkpoint, "model.safetensors"), f.graph, f.values); err != nil {
		return err
	}
	var saved []namedTensor
	for _, s := range kernels.SavedTensors(f.graph) {
		if s.File == kernels.AdapterFile {
			saved = append(saved, f.saved(s))
		}
	}
	if len(saved) == 0 {
		return nil
	}
	if f.peft, err = os.MkdirTemp(dir, "adapter-"); err != nil {
		return err
	}
	return writeTensors(filepath.Join(f.peft, kernels.AdapterFile), saved)
}

// saved is a tensor of the adapter's file.
func (f *fixture) saved(s kernels.SavedTensor) namedTensor {
	values := f.values[s.Param.ID]
	if s.Start != nil {
		values = widen(s.Join(narrow(values), narrow(f.values[s.Start.ID])))
	}
	return namedTensor{s.Key, s.Shape(), values}
}

func narrow(values []float64) []float32 {
	out := make([]float32, len(values))
	for i, v := range values {
		out[i] = float32(v)
	}
	return out
}

func widen(values []float32) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// WriteCheckpoint makes the safetensors file that g's sources read, of values by
// parameter.
func WriteCheckpoint(path string, g *graph.Graph, values [][]float64) error {
	var tensors []namedTensor
	for _, p := range g.Params {
		if p.Source == nil {
			continue
		}
		parts, err := storedAs(p, values[p.ID])
		if err != nil {
			return err
		}
		tensors = append(tensors, parts...)
	}
	return writeTensors(path, tensors)
}

// A namedTensor is one that a file is to hold.
type namedTensor struct {
	name   string
	shape  []int
	values []float64
}

// writeTensors makes a safetensors file of float32 tensors.
func writeTensors(path string, tensors []namedTensor) error {
	specs := make([]tensorfile.Spec, len(tensors))
	for i, t := range tensors {
		specs[i] = tensorfile.Spec{Name: t.name, DType: dtype.F32, Shape: t.shape}
	}
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, t := range tensors {
		out, err := w.Tensor(t.name)
		if err != nil {
			return err
		}
		data := make([]byte, 4*len(t.values))
		halffloat.EncodeFloat32(data, narrow(t.values))
		if _, err := out.Write(data); err != nil {
			return err
		}
	}
	return w.Commit()
}

// A document is what micro-batches are packed of.
type document struct {
	sample  int32
	ids     []int32
	weights []float32
}

// newDocuments draws documents of these lengths. Their weights are 0, 1 and 2, so
// that a sum is no mean and a count is no weight.
func newDocuments(seed uint64, lengths ...int) []document {
	rng := rand.New(rand.NewPCG(seed, 3))
	out := make([]document, len(lengths))
	for i, n := range lengths {
		d := document{sample: int32(100*seed) + int32(i)}
		for t := range n {
			d.ids = append(d.ids, rng.Int32N(vocabulary-1)) // the last id is for what is not finite
			w := float32(rng.IntN(3))
			if t == n-1 {
				w = 1
			}
			d.weights = append(d.weights, w)
		}
		out[i] = d
	}
	return out
}

// pack lays documents end to end in one micro-batch.
func pack(documents ...document) *graph.Batch {
	b := &graph.Batch{}
	for _, d := range documents {
		b.Append(d.sample, d.ids, d.weights)
	}
	return b
}

// split puts each document into a micro-batch of its own.
func split(documents ...document) []*graph.Batch {
	out := make([]*graph.Batch, len(documents))
	for i, d := range documents {
		out[i] = pack(d)
	}
	return out
}
