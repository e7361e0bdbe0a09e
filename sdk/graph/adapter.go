package graph

import "math"

// Scaling is s in the adapter's definition: Alpha/Rank, or Alpha/√Rank with
// RSLoRA.
func (a *Adapter) Scaling() float64 {
	if a.RSLoRA {
		return a.Alpha / math.Sqrt(float64(a.Rank))
	}
	return a.Alpha / float64(a.Rank)
}

// Plain is the rank and the alpha of the adapter without a start that comes to the
// same. With a start that is one of twice the rank, [A; A₀] and [B, −B₀], whose
// scaling is the same.
func (a *Adapter) Plain() (rank int, alpha float64) {
	switch {
	case a.Start == nil:
		return a.Rank, a.Alpha
	case a.RSLoRA:
		return 2 * a.Rank, a.Alpha * math.Sqrt2
	}
	return 2 * a.Rank, 2 * a.Alpha
}

// Params lists the adapter's parameters: A, B, and Bias, Magnitude and those of
// Start where there are any.
func (a *Adapter) Params() []ParamID {
	out := []ParamID{a.A, a.B}
	if a.Bias != NoParam {
		out = append(out, a.Bias)
	}
	if a.Magnitude != NoParam {
		out = append(out, a.Magnitude)
	}
	if a.Start != nil {
		out = append(out, a.Start.A, a.Start.B)
	}
	return out
}

// AdapterOf is the adapter of an operation that has one, or nil.
func AdapterOf(op Op) *Adapter {
	switch o := op.(type) {
	case *Linear:
		return o.Adapter
	case *ExpertLinear:
		return o.Adapter
	}
	return nil
}

// RowsOf is what an operation has of token rows, or nil.
func RowsOf(op Op) *TokenRows {
	switch o := op.(type) {
	case *Embed:
		return o.Rows
	case *Linear:
		return o.Rows
	}
	return nil
}

// adapterParams are the parameters of op that belong to adapters.
func adapterParams(op Op) []ParamID {
	var out []ParamID
	if a := AdapterOf(op); a != nil {
		out = append(out, a.Params()...)
	}
	if r := RowsOf(op); r != nil {
		out = append(out, r.Values)
	}
	return out
}

// ParamsOf lists the parameters that an operation refers to, its adapters'
// included, each once.
func ParamsOf(op Op) []ParamID {
	var out []ParamID
	add := func(ids ...ParamID) {
		for _, id := range ids {
			if id != NoParam {
				out = append(out, id)
			}
		}
	}
	switch o := op.(type) {
	case *Embed:
		add(o.Table)
	case *Linear:
		add(o.Weight, o.Bias)
	case *Norm:
		add(o.Weight, o.Bias)
	case *Attention:
		add(o.Sinks)
	case *Map:
		for _, a := range o.Args {
			add(a.Param)
		}
	case *Conv:
		add(o.Weight, o.Bias)
	case *Route:
		add(o.Bias)
	case *ExpertLinear:
		add(o.Weight, o.Bias)
	}
	add(adapterParams(op)...)
	return out
}
