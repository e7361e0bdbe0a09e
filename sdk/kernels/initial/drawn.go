package initial

import (
	"math"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/dropout"
	"github.com/honeml/hone/sdk/kernels"
)

// drawn draws parameters.
type drawn struct {
	seed      uint64
	quantiles []float32 // of the normal distribution, by sixteen bits
	constants map[graph.ParamID]float32
}

// levels is how many values a deviate has: as many as sixteen bits.
const levels = 1 << 16

func newDrawn(g *graph.Graph, r kernels.RandomWeights) (*drawn, error) {
	if !(r.StdDev >= 0) || r.StdDev > math.MaxFloat32/8 {
		return nil, fault.New(fault.BadInput, "random weights with a standard deviation of %v", r.StdDev)
	}
	d := &drawn{seed: r.Seed, quantiles: make([]float32, levels), constants: constants(g)}
	for u := range d.quantiles {
		d.quantiles[u] = float32(r.StdDev * math.Sqrt2 * math.Erfinv((2*float64(u)+1)/levels-1))
	}
	return d, nil
}

// constants are the parameters of one dimension, with their values.
func constants(g *graph.Graph) map[graph.ParamID]float32 {
	out := map[graph.ParamID]float32{}
	for _, p := range g.Params {
		if len(p.Shape) > 1 {
			continue
		}
		out[p.ID] = 0
		if p.Role == graph.RoleMapParam {
			out[p.ID] = 1
		}
	}
	for _, n := range g.Nodes {
		if norm, ok := n.Op.(*graph.Norm); ok && norm.Weight != graph.NoParam && !norm.PlusOne {
			out[norm.Weight] = 1
		}
	}
	return out
}

func (d *drawn) reader(p *graph.Param) Reader {
	if c, ok := d.constants[p.ID]; ok {
		return func(dst []float32, _ int) error {
			for i := range dst {
				dst[i] = c
			}
			return nil
		}
	}
	key := dropout.NewKey(d.seed, 0, p.Name)
	return func(dst []float32, from int) error {
		d.normal(dst, key, uint64(from))
		return nil
	}
}

// deviates is how many come of one counter.
const deviates = 8

// normal fills dst with the elements from the given one on.
func (d *drawn) normal(dst []float32, key dropout.Key, from uint64) {
	var block [deviates]float32
	for begin := int(from % deviates); len(dst) > 0; begin = 0 {
		d.block(&block, key, from/deviates)
		n := copy(dst, block[begin:])
		dst, from = dst[n:], from+uint64(n)
	}
}

// block is the deviates of one counter.
func (d *drawn) block(dst *[deviates]float32, key dropout.Key, counter uint64) {
	outputs := dropout.Philox([4]uint32{uint32(counter), uint32(counter >> 32), 0, 0}, key)
	table := (*[levels]float32)(d.quantiles)
	for i, o := range outputs {
		dst[2*i], dst[2*i+1] = table[o&0xffff], table[o>>16]
	}
}
