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
	op                *graph.Route
	warps             int
	forward, backward *device.Kernel
	shares, balance   *device.Kernel // nil without a balancing loss
}

// NewRoute is for logits of a type.
func NewRoute(set *device.Set, o graph.Route, logits device.Type) *Route {
	// Standings, choices and groups of each warp's token are in shared memory, of which
	// a block has 48 KiB: enough for a token of mostExperts.
	r := &Route{op: &o, warps: 4}
	for r.warps > 1 && r.warps*4*(o.Experts+o.TopK+o.Groups) > 32<<10 {
		r.warps /= 2
	}
	source := device.Source{Name: "route.cu", Text: routeText, Defines: []string{
		rows.DefineType("LOGIT", logits), rows.Define("EXPERTS", o.Experts), rows.Define("TOP_K", o.TopK),
		rows.DefineFlag("SIGMOID", o.Sigmoid), rows.DefineFlag("AFTER", o.After), rows.DefineFlag("BIASED", o.Bias != graph.NoParam),
		rows.Define("GROUPS", o.Groups), rows.Define("KEEP", o.Keep), rows.Define("GROUP_TOP", o.GroupTop),
		rows.DefineFlag("NORMALISE", o.Normalise), rows.DefineFloat("EPSILON", o.NormEpsilon), rows.DefineFloat("FACTOR", o.Factor),
		rows.DefineFlag("BALANCED", graph.Balances(&o)), rows.Define("WARPS", r.warps),
	}}
	r.forward, r.backward = set.Kernel(source, "route"), set.Kernel(source, "route_backward")
	if r.Balances() {
		r.shares, r.balance = set.Kernel(source, "route_shares"), set.Kernel(source, "route_balance")
	}
	return r
}

// Balances reports whether the route has a balancing loss.
func (r *Route) Balances() bool { return graph.Balances(r.op) }

func (r *Route) grid(rowCount int) device.Grid {
	return device.Grid{X: device.Ceil(rowCount, r.warps), Threads: 32 * r.warps}
}

// Forward gives the indices, int32 [rows, TopK], and the weights, float32 [rows, TopK],
// by logits [rows, Experts] and bias, float32 [Experts].
func (r *Route) Forward(q *device.Queue, rowCount int, indices, weights, logits, bias device.Pointer) {
	q.Launch(r.forward, r.grid(rowCount), indices, weights, logits, bias, int32(rowCount))
}

// Backward writes the gradient of the logits, or adds it, by that of the weights; of a
// route with a balancing loss that of the loss is in it, and the weights' may be 0, which
// is none. Other routes take an empty Balance.
func (r *Route) Backward(q *device.Queue, rowCount int, dLogits, logits, indices, dWeights device.Pointer, add bool, b Balance) {
	q.Launch(r.backward, r.grid(rowCount), dLogits, logits, indices, dWeights, rows.Flag(add),
		b.F, b.DocStart, b.Share, b.Scale, float32(r.op.Balance), int32(rowCount))
}

// A Balance is what a balancing loss goes by.
type Balance struct {
	DocStart, DocEnd device.Pointer // int32 [rows]: a row's document
	Share            device.Pointer // float32 [rows]: graph.Batch.Shares; 0 beyond the batch
	Scale            device.Pointer // float32: the loss scale; Backward alone reads it
	F                device.Pointer // float32 [rows, Experts]: Shares writes it, the others read it
}

// ShareBytes is the memory of a Balance's F.
func (r *Route) ShareBytes(rowCount int) int64 { return 4 * int64(rowCount) * int64(r.op.Experts) }

// Shares fills in how often each expert was chosen by the documents of a batch.
func (r *Route) Shares(q *device.Queue, rowCount int, b Balance, g Groups) {
	q.Launch(r.shares, device.Grid{X: rowCount, Threads: 128}, b.F, g.order, g.offsets, b.DocStart, b.DocEnd, b.Share)
}

// Losses gives each row's part of the balancing loss, float32 [rows].
func (r *Route) Losses(q *device.Queue, rowCount int, losses, logits device.Pointer, b Balance) {
	q.Launch(r.balance, r.grid(rowCount), losses, logits, b.F, b.DocStart, b.Share, float32(r.op.Balance), int32(rowCount))
}
