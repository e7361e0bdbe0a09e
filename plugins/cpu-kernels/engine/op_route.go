package engine

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// routeKernel chooses experts. Indices are held as float32, which is exact for as
// many experts as a value may have columns.
type routeKernel struct {
	base
	op   *graph.Route
	loss float64 // of the last micro-batch: its balancing losses
}

// A router is the memory for a token's choice; each worker has its own.
type router struct {
	k        *routeKernel
	bias     []float32
	standing []float64 // by expert: what the choice goes by; −∞ for those that are out
	groups   []float64
	chosen   []int
	scores   []float64 // by slot
	all      []float64 // by expert: the softmax over all, or s' of a balancing loss
}

func (k *routeKernel) router() *router {
	o := k.op
	return &router{
		k: k, bias: k.e.vector(o.Bias), standing: make([]float64, o.Experts), groups: make([]float64, o.Groups),
		chosen: make([]int, 0, o.TopK), scores: make([]float64, o.TopK), all: make([]float64, o.Experts),
	}
}

func (k *routeKernel) forward(c *call) {
	experts, top := k.op.Experts, k.op.TopK
	k.e.eachRow(c.rows.len(), func(from, to int) {
		r := k.router()
		for t := from; t < to; t++ {
			logits := c.in[0][t*experts : (t+1)*experts]
			r.choose(logits)
			total := r.score(logits)
			for s, e := range r.chosen {
				c.out[0][t*top+s] = float32(e)
				c.out[1][t*top+s] = float32(k.op.Factor * r.scores[s] / total)
			}
		}
	})
	if c.training && graph.Balances(k.op) {
		k.balance(c)
	}
}

// choose fills in chosen, the best first.
func (r *router) choose(logits []float32) {
	o := r.k.op
	switch {
	case o.After:
		for e, x := range logits {
			r.standing[e] = float64(x)
		}
	case o.Sigmoid:
		for e, x := range logits {
			r.standing[e] = sigmoid(float64(x))
		}
	default:
		softmax(r.standing, logits, nil)
	}
	for e, b := range r.bias {
		r.standing[e] += float64(b)
	}
	for e, s := range r.standing {
		if !(s > -math.MaxFloat64) { // NaN too: it can be chosen, once, after all others
			r.standing[e] = -math.MaxFloat64
		}
	}
	if o.Keep < o.Groups {
		r.keepGroups()
	}
	r.chosen = r.chosen[:0]
	for range o.TopK {
		e := largest(r.standing)
		r.chosen = append(r.chosen, e)
		r.standing[e] = math.Inf(-1)
	}
}

// keepGroups puts the experts of all but the best groups out.
func (r *router) keepGroups() {
	o := r.k.op
	size := o.Experts / o.Groups
	best := make([]float64, size)
	for g := range r.groups {
		copy(best, r.standing[g*size:])
		r.groups[g] = 0
		for range o.GroupTop {
			e := largest(best)
			r.groups[g] += best[e]
			best[e] = math.Inf(-1)
		}
	}
	for range o.Keep {
		r.groups[largest(r.groups)] = math.Inf(-1) // kept
	}
	for g, score := range r.groups {
		if math.IsInf(score, -1) {
			continue
		}
		for e := g * size; e < (g+1)*size; e++ {
			r.standing[e] = math.Inf(-1)
		}
	}
}

// largest is the index of the largest element, the first of equals.
func largest(x []float64) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softmax fills dst with the softmax of logits, of those listed or, with nil, of all.
func softmax(dst []float64, logits []float32, listed []int) {
	at := func(i int) float64 {
		if listed != nil {
			return float64(logits[listed[i]])
		}
		return float64(logits[i])
	}
	for i := range dst {
		dst[i] = at(i)
	}
	exponentials(dst)
}

// exponentials turns numbers into their softmax.
func exponentials(x []float64) {
	most := math.Inf(-1)
	for _, v := range x {
		most = math.Max(most, v)
	}
	total := 0.0
	for i, v := range x {
		x[i] = math.Exp(v - most)
		total += x[i]
	}
	for i := range x {
		x[i] /= total
	}
}

// score fills in scores, and all, for what is chosen, and returns what scores are
// divided by.
func (r *router) score(logits []float32) float64 {
	o := r.k.op
	switch {
	case o.Sigmoid:
		for s, e := range r.chosen {
			r.scores[s] = sigmoid(float64(logits[e]))
		}
	case o.After:
		softmax(r.scores, logits, r.chosen)
	default:
		softmax(r.all, logits, nil)
		for s, e := range r.chosen {
			r.scores[s] = r.all[e]
		}
	}
	if !o.Normalise {
		return 1
	}
	total := o.NormEpsilon
	for _, s := range r.scores {
		total += s
	}
	return total
}

// backward, with g the gradients of a token's weights w = f·s/Σ, the choice held
// fixed:
//
//	ds = f·g/Σ, less Σ g·w/Σ where Σ is the scores' sum
//	sigmoid: dx = ds·s·(1 − s);  softmax: dx = s·(ds − Σ ds·s), over what it is over
//
// and with a balancing loss what that adds, also where nothing has used the weights.
func (k *routeKernel) backward(c *call) {
	experts, top := k.op.Experts, k.op.TopK
	k.e.eachRow(c.rows.len(), func(from, to int) {
		r, d := k.router(), make([]float32, experts)
		for t := from; t < to; t++ {
			logits := c.in[0][t*experts : (t+1)*experts]
			r.chosen = r.chosen[:0]
			for _, e := range c.out[0][t*top : (t+1)*top] {
				r.chosen = append(r.chosen, int(e))
			}
			clear(d)
			if c.dOut[1] != nil {
				r.gradient(d, logits, c.dOut[1][t*top:(t+1)*top])
			}
			if graph.Balances(k.op) && c.rows.shares[t] != 0 {
				r.addBalance(d, logits, c.shareOf(t, experts), c.rows.shares[t]*k.op.Balance)
			}
			store(c.dIn[0][t*experts:(t+1)*experts], d, c.accumulate[0])
		}
	})
}

// gradient puts a token's gradient by its logits into d, which is zeros; dw is that by its
// weights.
func (r *router) gradient(d, logits, dw []float32) {
	o := r.k.op
	total := r.score(logits)
	shared, mean := 0.0, 0.0
	if o.Normalise {
		for s, g := range dw {
			shared += o.Factor * float64(g) * r.scores[s] / total / total
		}
	}
	slope := func(s int) float64 { return o.Factor*float64(dw[s])/total - shared }
	for s := range dw {
		mean += slope(s) * r.scores[s]
	}
	if !o.Sigmoid && !o.After {
		for e, p := range r.all {
			d[e] = float32(-p * mean)
		}
	}
	for s, e := range r.chosen {
		p := r.scores[s]
		if o.Sigmoid {
			d[e] = float32(slope(s) * p * (1 - p))
		} else {
			d[e] = float32(p * (slope(s) - mean))
		}
	}
}

// combineKernel sums the slots of each token by their weights.
type combineKernel struct {
	base
	op *graph.Combine
}

func (k *combineKernel) forward(c *call) {
	w, slots := k.inWidth(0), k.inSlots()
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for t := from; t < to; t++ {
			y := c.out[0][t*w : (t+1)*w]
			clear(y)
			for row := t * slots; row < (t+1)*slots; row++ {
				addTo(y, c.in[0][row*w:(row+1)*w], k.weight(c, row))
			}
		}
	})
}

// weight is that of a token's slot.
func (k *combineKernel) weight(c *call, row int) float32 {
	if k.op.Plain {
		return 1
	}
	return c.in[1][row]
}

// backward: dx[t,s] = w[t,s]·dy[t];  dw[t,s] = Σ dy[t]·x[t,s].
func (k *combineKernel) backward(c *call) {
	w, slots := k.inWidth(0), k.inSlots()
	weights := len(c.dIn) > 1 && c.dIn[1] != nil
	k.e.eachRow(c.rows.len(), func(from, to int) {
		for row := from * slots; row < to*slots; row++ {
			dy := c.dOut[0][row/slots*w : (row/slots+1)*w]
			if c.dIn[0] != nil {
				dx := c.dIn[0][row*w : (row+1)*w]
				if !c.accumulate[0] {
					clear(dx)
				}
				addTo(dx, dy, k.weight(c, row))
			}
			if weights {
				store(c.dIn[1][row:row+1], []float32{dot(dy, c.in[0][row*w:(row+1)*w])}, c.accumulate[1])
			}
		}
	})
}
