package experts

import (
	_ "embed"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
)

//go:embed route.cu
var routeText string

// mostExperts bounds what stands in a block's shared memory.
const mostExperts = 2048

// Check refuses a number of experts that the kernels do not take, as fault.Unsupported.
func Check(count int) error {
	if count > mostExperts {
		return fault.New(fault.Unsupported, "%d experts; cuda-kernels takes at most %d", count, mostExperts)
	}
	return nil
}

// A Route is the kernels of a graph.Route.
type Route struct {
	warps             int
	forward, backward *device.Kernel
}

// NewRoute is for logits of a type.
func NewRoute(set *device.Set, o graph.Route, logits device.Type) *Route {
	// Standings, choices and groups of each warp's token are in shared memory, of which
	// a block has 48 KiB: enough for a token of mostExperts.
	r := &Route{warps: 4}
	for r.warps > 1 && r.warps*4*(o.Experts+o.TopK+o.Groups) > 32<<10 {
		r.warps /= 2
	}
	source := device.Source{Name: "route.cu", Text: routeText, Defines: []string{
		rows.DefineType("LOGIT", logits), rows.Define("EXPERTS", o.Experts), rows.Define("TOP_K", o.TopK),
		rows.DefineFlag("SIGMOID", o.Sigmoid), rows.DefineFlag("AFTER", o.After), rows.DefineFlag("BIASED", o.Bias != graph.NoParam),
		rows.Define("GROUPS", o.Groups), rows.Define("KEEP", o.Keep), rows.Define("GROUP_TOP", o.GroupTop),
		rows.DefineFlag("NORMALISE", o.Normalise), rows.DefineFloat("EPSILON", o.NormEpsilon), rows.DefineFloat("FACTOR", o.Factor),
		rows.Define("WARPS", r.warps),
	}}
	r.forward, r.backward = set.Kernel(source, "route"), set.Kernel(source, "route_backward")
	return r
}

func (r *Route) grid(rowCount int) device.Grid {
	return device.Grid{X: device.Ceil(rowCount, r.warps), Threads: 32 * r.warps}
}

// Forward gives the indices, int32 [rows, TopK], and the weights, float32 [rows, TopK],
// by logits [rows, Experts] and bias, float32 [Experts].
func (r *Route) Forward(q *device.Queue, rowCount int, indices, weights, logits, bias device.Pointer) {
	q.Launch(r.forward, r.grid(rowCount), indices, weights, logits, bias, int32(rowCount))
}

// Backward writes the gradient of the logits, or adds it, by that of the weights.
func (r *Route) Backward(q *device.Queue, rowCount int, dLogits, logits, indices, dWeights device.Pointer, add bool) {
	q.Launch(r.backward, r.grid(rowCount), dLogits, logits, indices, dWeights, rows.Flag(add), int32(rowCount))
}
