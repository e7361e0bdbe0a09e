package interp

import (
	"math"

	"github.com/honeml/hone/sdk/graph"
)

// An attentionRow is the attention of one token and head over its document, from
// the first token to itself.
type attentionRow struct {
	first  int       // the document's first token
	scores []float64 // before the cap
	p      []float64 // probabilities, 0 where a token is not seen
	sink   float64   // probability of the sink
}

// sees reports whether the token at position i sees the one at position j ≤ i of
// its document.
func sees(o *graph.Attention, i, j int) bool {
	return (o.Window == 0 || j > i-o.Window) && (o.Chunk == 0 || i/o.Chunk == j/o.Chunk)
}

// attend is the attention of token t and query head h.
func (r *Run) attend(o *graph.Attention, q, k []float64, t, h int) attentionRow {
	kv := h * o.KVHeads / o.Heads
	row := attentionRow{first: int(r.batch.DocStart[t])}
	capped := make([]float64, t-row.first+1)
	for j := range capped {
		s := 0.0
		for c := range o.KeyWidth {
			s += q[(t*o.Heads+h)*o.KeyWidth+c] * k[((row.first+j)*o.KVHeads+kv)*o.KeyWidth+c]
		}
		s *= o.Scale
		row.scores = append(row.scores, s)
		if o.Cap > 0 {
			s = o.Cap * math.Tanh(s/o.Cap)
		}
		if !sees(o, t-row.first, j) {
			s = math.Inf(-1)
		}
		capped[j] = s
	}
	// The sink is one more score, last.
	if sinks := r.param(o.Sinks); sinks != nil {
		capped = append(capped, sinks[h])
	}
	total := logSumExp(capped)
	for j := range row.scores {
		row.p = append(row.p, math.Exp(capped[j]-total))
	}
	if o.Sinks != graph.NoParam {
		row.sink = math.Exp(capped[len(capped)-1] - total)
	}
	return row
}

func (r *Run) attention(o *graph.Attention, q, k, v []float64) []float64 {
	y := make([]float64, r.batch.Tokens()*o.Heads*o.ValueWidth)
	for t := range r.batch.Tokens() {
		for h := range o.Heads {
			row := r.attend(o, q, k, t, h)
			kv := h * o.KVHeads / o.Heads
			for j, p := range row.p {
				for c := range o.ValueWidth {
					y[(t*o.Heads+h)*o.ValueWidth+c] += p * v[((row.first+j)*o.KVHeads+kv)*o.ValueWidth+c]
				}
			}
		}
	}
	return y
}

// attentionBackward, with p the probabilities of a row, s its scores before and
// c(s) after the cap:
//
//	dv_j = p_j·dy;  dp_j = dy·v_j;  δ = Σ p_j·dp_j;  ds_j = p_j·(dp_j − δ)·c'(s_j)
//	dq = scale·Σ ds_j·k_j;  dk_j = scale·ds_j·q;  d(sink) = −p_sink·δ
func (r *Run) attentionBackward(o *graph.Attention, q, k, v, dy []float64, g *grads) {
	dq, dk, dv := make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
	dsinks := make([]float64, o.Heads)
	for t := range r.batch.Tokens() {
		for h := range o.Heads {
			row := r.attend(o, q, k, t, h)
			kv := h * o.KVHeads / o.Heads
			d := dy[(t*o.Heads+h)*o.ValueWidth : (t*o.Heads+h+1)*o.ValueWidth]
			dp := make([]float64, len(row.p))
			delta := 0.0
			for j, p := range row.p {
				at := ((row.first+j)*o.KVHeads + kv) * o.ValueWidth
				for c, x := range d {
					dp[j] += x * v[at+c]
					dv[at+c] += p * x
				}
				delta += p * dp[j]
			}
			dsinks[h] -= row.sink * delta
			for j, p := range row.p {
				ds := o.Scale * p * (dp[j] - delta) * capSlope(o.Cap, row.scores[j])
				qa, ka := (t*o.Heads+h)*o.KeyWidth, ((row.first+j)*o.KVHeads+kv)*o.KeyWidth
				for c := range o.KeyWidth {
					dq[qa+c] += ds * k[ka+c]
					dk[ka+c] += ds * q[qa+c]
				}
			}
		}
	}
	g.input("q", 0, dq)
	g.input("k", 1, dk)
	g.input("v", 2, dv)
	g.param("sinks", o.Sinks, dsinks)
}

// capSlope is the derivative of limit·tanh(s/limit), or of s without a limit.
func capSlope(limit, s float64) float64 {
	if limit == 0 {
		return 1
	}
	tanh := math.Tanh(s / limit)
	return 1 - tanh*tanh
}
