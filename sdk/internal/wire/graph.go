package wire

import (
	"fmt"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	pb "github.com/honeml/hone/sdk/proto/hone/v1"
)

// GraphToProto is g as a message. g has to be valid.
func GraphToProto(g *graph.Graph) *pb.Graph {
	out := &pb.Graph{
		Architecture: g.Architecture, MaxLength: int64(g.MaxLength), Notes: g.Notes, Logits: int64(g.Logits),
	}
	for _, p := range g.Params {
		out.Params = append(out.Params, &pb.Param{
			Name: p.Name, Shape: toInt64(p.Shape), Role: string(p.Role), Module: p.Module,
			Source: SourceToProto(p.Source), Init: string(p.Init), Adapter: p.Adapter, Trainable: p.Trainable,
		})
	}
	for _, v := range g.Values {
		out.Values = append(out.Values, &pb.Value{
			Node: int64(v.Node), Width: int64(v.Width), Slots: int64(v.Slots), Type: string(v.Type),
		})
	}
	for _, n := range g.Nodes {
		m := &pb.Node{Name: n.Name, Inputs: toInt64(n.Inputs), Outputs: toInt64(n.Outputs)}
		opToProto(n.Op, m)
		out.Nodes = append(out.Nodes, m)
	}
	return out
}

// GraphFromProto is the reverse of [GraphToProto]. The Graph is validated: what
// a plugin sends is not trusted.
//
// A Graph that says more than this SDK knows is a fault.Unsupported.
func GraphFromProto(m *pb.Graph) (*graph.Graph, error) {
	if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		return nil, fmt.Errorf("graph: %w", newer(unknown, "it"))
	}
	g := &graph.Graph{
		Architecture: m.GetArchitecture(), MaxLength: int(m.GetMaxLength()), Notes: m.GetNotes(),
		Logits: graph.ValueID(m.GetLogits()),
	}
	for i, p := range m.GetParams() {
		if err := Known(p); err != nil {
			return nil, fmt.Errorf("graph: parameter %q: %w", p.GetName(), err)
		}
		source, err := SourceFromProto(p.GetSource(), 0)
		if err != nil {
			return nil, fmt.Errorf("graph: parameter %q: %w", p.GetName(), err)
		}
		g.Params = append(g.Params, &graph.Param{
			ID: graph.ParamID(i), Name: p.GetName(), Shape: fromInt64[int](p.GetShape()), Role: graph.Role(p.GetRole()),
			Module: p.GetModule(), Source: source, Init: graph.Init(p.GetInit()), Adapter: p.GetAdapter(),
			Trainable: p.GetTrainable(),
		})
	}
	for i, v := range m.GetValues() {
		if err := Known(v); err != nil {
			return nil, fmt.Errorf("graph: value %d: %w", i, err)
		}
		g.Values = append(g.Values, &graph.Value{
			ID: graph.ValueID(i), Node: int(v.GetNode()), Width: int(v.GetWidth()), Slots: int(v.GetSlots()),
			Type: graph.ValueType(v.GetType()),
		})
	}
	for _, n := range m.GetNodes() {
		op := opFromProto(n)
		if op == nil {
			return nil, fault.New(fault.Unsupported, "graph: node %q: an operation that this version of hone does not know", n.GetName()).WithHint(newerHint)
		}
		if err := Known(n); err != nil {
			return nil, fmt.Errorf("graph: node %q: %w", n.GetName(), err)
		}
		g.Nodes = append(g.Nodes, &graph.Node{
			Name: n.GetName(), Op: op, Inputs: fromInt64[graph.ValueID](n.GetInputs()),
			Outputs: fromInt64[graph.ValueID](n.GetOutputs()),
		})
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	return g, nil
}

func toInt64[T ~int](in []T) []int64 {
	if in == nil {
		return nil
	}
	out := make([]int64, len(in))
	for i, v := range in {
		out[i] = int64(v)
	}
	return out
}

func fromInt64[T ~int](in []int64) []T {
	if in == nil {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = T(v)
	}
	return out
}

// An optional parameter is sent plus one, so that the zero value means none.
func paramTo(id graph.ParamID) int64   { return int64(id) + 1 }
func paramFrom(id int64) graph.ParamID { return graph.ParamID(id - 1) }

// SourceToProto is s as a message.
func SourceToProto(s *graph.Source) *pb.Source {
	if s == nil {
		return nil
	}
	out := &pb.Source{
		Op: string(s.Op), Names: s.Names, Dim: int64(s.Dim), Start: int64(s.Start), Stop: int64(s.Stop),
		Step: int64(s.Step), Dims: toInt64(s.Dims), Add: s.Add, Rows: int64(s.Rows),
	}
	for _, a := range s.Args {
		out.Args = append(out.Args, SourceToProto(a))
	}
	return out
}

// SourceFromProto is the reverse of [SourceToProto]; depth is how deep it stands.
func SourceFromProto(m *pb.Source, depth int) (*graph.Source, error) {
	if m == nil {
		return nil, nil
	}
	if unknown := m.ProtoReflect().GetUnknown(); len(unknown) > 0 {
		return nil, newer(unknown, "a source")
	}
	if depth > 32 {
		return nil, fmt.Errorf("a source nested more than 32 deep")
	}
	out := &graph.Source{
		Op: graph.SourceOp(m.GetOp()), Names: m.GetNames(), Dim: int(m.GetDim()), Start: int(m.GetStart()),
		Stop: int(m.GetStop()), Step: int(m.GetStep()), Dims: fromInt64[int](m.GetDims()), Add: m.GetAdd(), Rows: int(m.GetRows()),
	}
	for _, a := range m.GetArgs() {
		arg, err := SourceFromProto(a, depth+1)
		if err != nil {
			return nil, err
		}
		out.Args = append(out.Args, arg)
	}
	return out, nil
}

func adapterTo(a *graph.Adapter) *pb.Adapter {
	if a == nil {
		return nil
	}
	return &pb.Adapter{
		Name: a.Name, Rank: int64(a.Rank), Alpha: a.Alpha, Rslora: a.RSLoRA, Dropout: a.Dropout,
		A: paramTo(a.A), B: paramTo(a.B), Bias: paramTo(a.Bias), Magnitude: paramTo(a.Magnitude),
		Start: startTo(a.Start),
	}
}

func adapterFrom(a *pb.Adapter) *graph.Adapter {
	if a == nil {
		return nil
	}
	return &graph.Adapter{
		Name: a.GetName(), Rank: int(a.GetRank()), Alpha: a.GetAlpha(), RSLoRA: a.GetRslora(), Dropout: a.GetDropout(),
		A: paramFrom(a.GetA()), B: paramFrom(a.GetB()), Bias: paramFrom(a.GetBias()), Magnitude: paramFrom(a.GetMagnitude()),
		Start: startFrom(a.GetStart()),
	}
}

func startTo(s *graph.Start) *pb.Start {
	if s == nil {
		return nil
	}
	return &pb.Start{A: paramTo(s.A), B: paramTo(s.B)}
}

func startFrom(s *pb.Start) *graph.Start {
	if s == nil {
		return nil
	}
	return &graph.Start{A: paramFrom(s.GetA()), B: paramFrom(s.GetB())}
}

func rowsTo(r *graph.TokenRows) *pb.TokenRows {
	if r == nil {
		return nil
	}
	return &pb.TokenRows{Adapter: r.Adapter, Ids: toInt64(r.IDs), Values: paramTo(r.Values)}
}

func rowsFrom(r *pb.TokenRows) *graph.TokenRows {
	if r == nil {
		return nil
	}
	return &graph.TokenRows{Adapter: r.GetAdapter(), IDs: fromInt64[int](r.GetIds()), Values: paramFrom(r.GetValues())}
}

func opToProto(op graph.Op, n *pb.Node) {
	switch o := op.(type) {
	case *graph.Embed:
		n.Op = &pb.Node_Embed{Embed: &pb.Embed{Table: paramTo(o.Table), Scale: o.Scale, Rows: rowsTo(o.Rows)}}
	case *graph.Linear:
		n.Op = &pb.Node_Linear{Linear: &pb.Linear{
			Module: o.Module, Weight: paramTo(o.Weight), Bias: paramTo(o.Bias), Float32: o.Float32, Adapter: adapterTo(o.Adapter),
			Rows: rowsTo(o.Rows),
		}}
	case *graph.Norm:
		n.Op = &pb.Node_Norm{Norm: &pb.Norm{
			Centre: o.Centre, Epsilon: o.Epsilon, Groups: int64(o.Groups), Weight: paramTo(o.Weight),
			Bias: paramTo(o.Bias), PlusOne: o.PlusOne,
		}}
	case *graph.RoPE:
		n.Op = &pb.Node_Rope{Rope: &pb.RoPE{
			Heads: int64(o.Heads), Offset: int64(o.Offset), Interleaved: o.Interleaved, Freq: o.Freq, Factor: o.Factor,
		}}
	case *graph.Attention:
		n.Op = &pb.Node_Attention{Attention: &pb.Attention{
			Heads: int64(o.Heads), KvHeads: int64(o.KVHeads), KeyWidth: int64(o.KeyWidth), ValueWidth: int64(o.ValueWidth),
			Scale: o.Scale, Window: int64(o.Window), Chunk: int64(o.Chunk), Cap: o.Cap, Sinks: paramTo(o.Sinks),
		}}
	case *graph.Map:
		m := &pb.Map{Expr: o.Expr, Width: int64(o.Width)}
		for _, a := range o.Args {
			m.Args = append(m.Args, &pb.MapArg{Name: a.Name, Input: int64(a.Input) + 1, Param: paramTo(a.Param)})
		}
		n.Op = &pb.Node_Map{Map: m}
	case *graph.Split:
		n.Op = &pb.Node_Split{Split: &pb.Split{Groups: int64(o.Groups), Sizes: toInt64(o.Sizes)}}
	case *graph.Concat:
		n.Op = &pb.Node_Concat{Concat: &pb.Concat{Groups: int64(o.Groups), Widths: toInt64(o.Widths), Repeat: o.Repeat}}
	case *graph.Conv:
		n.Op = &pb.Node_Conv{Conv: &pb.Conv{Kernel: int64(o.Kernel), Weight: paramTo(o.Weight), Bias: paramTo(o.Bias)}}
	case *graph.Route:
		n.Op = &pb.Node_Route{Route: &pb.Route{
			Experts: int64(o.Experts), TopK: int64(o.TopK), Sigmoid: o.Sigmoid, After: o.After, Bias: paramTo(o.Bias),
			Groups: int64(o.Groups), Keep: int64(o.Keep), GroupTop: int64(o.GroupTop), Normalise: o.Normalise,
			NormEpsilon: o.NormEpsilon, Factor: o.Factor, Balance: o.Balance,
		}}
	case *graph.ExpertLinear:
		n.Op = &pb.Node_ExpertLinear{ExpertLinear: &pb.ExpertLinear{
			Module: o.Module, Weight: paramTo(o.Weight), Bias: paramTo(o.Bias), Experts: int64(o.Experts),
			WeighInput: o.WeighInput, Adapter: adapterTo(o.Adapter),
		}}
	case *graph.Combine:
		n.Op = &pb.Node_Combine{Combine: &pb.Combine{Plain: o.Plain}}
	}
}

// opFromProto is nil for an operation that this side does not know.
func opFromProto(n *pb.Node) graph.Op {
	switch m := n.GetOp().(type) {
	case *pb.Node_Embed:
		return &graph.Embed{Table: paramFrom(m.Embed.GetTable()), Scale: m.Embed.GetScale(), Rows: rowsFrom(m.Embed.GetRows())}
	case *pb.Node_Linear:
		o := m.Linear
		return &graph.Linear{
			Module: o.GetModule(), Weight: paramFrom(o.GetWeight()), Bias: paramFrom(o.GetBias()), Float32: o.GetFloat32(),
			Adapter: adapterFrom(o.GetAdapter()), Rows: rowsFrom(o.GetRows()),
		}
	case *pb.Node_Norm:
		o := m.Norm
		return &graph.Norm{
			Centre: o.GetCentre(), Epsilon: o.GetEpsilon(), Groups: int(o.GetGroups()), Weight: paramFrom(o.GetWeight()),
			Bias: paramFrom(o.GetBias()), PlusOne: o.GetPlusOne(),
		}
	case *pb.Node_Rope:
		o := m.Rope
		return &graph.RoPE{
			Heads: int(o.GetHeads()), Offset: int(o.GetOffset()), Interleaved: o.GetInterleaved(), Freq: o.GetFreq(),
			Factor: o.GetFactor(),
		}
	case *pb.Node_Attention:
		o := m.Attention
		return &graph.Attention{
			Heads: int(o.GetHeads()), KVHeads: int(o.GetKvHeads()), KeyWidth: int(o.GetKeyWidth()),
			ValueWidth: int(o.GetValueWidth()), Scale: o.GetScale(), Window: int(o.GetWindow()), Chunk: int(o.GetChunk()),
			Cap: o.GetCap(), Sinks: paramFrom(o.GetSinks()),
		}
	case *pb.Node_Map:
		o := &graph.Map{Expr: m.Map.GetExpr(), Width: int(m.Map.GetWidth())}
		for _, a := range m.Map.GetArgs() {
			o.Args = append(o.Args, graph.MapArg{Name: a.GetName(), Input: int(a.GetInput()) - 1, Param: paramFrom(a.GetParam())})
		}
		return o
	case *pb.Node_Split:
		return &graph.Split{Groups: int(m.Split.GetGroups()), Sizes: fromInt64[int](m.Split.GetSizes())}
	case *pb.Node_Concat:
		return &graph.Concat{
			Groups: int(m.Concat.GetGroups()), Widths: fromInt64[int](m.Concat.GetWidths()), Repeat: m.Concat.GetRepeat(),
		}
	case *pb.Node_Conv:
		return &graph.Conv{
			Kernel: int(m.Conv.GetKernel()), Weight: paramFrom(m.Conv.GetWeight()), Bias: paramFrom(m.Conv.GetBias()),
		}
	}
	return expertOpFromProto(n)
}

func expertOpFromProto(n *pb.Node) graph.Op {
	switch m := n.GetOp().(type) {
	case *pb.Node_Route:
		o := m.Route
		return &graph.Route{
			Experts: int(o.GetExperts()), TopK: int(o.GetTopK()), Sigmoid: o.GetSigmoid(), After: o.GetAfter(),
			Bias: paramFrom(o.GetBias()), Groups: int(o.GetGroups()), Keep: int(o.GetKeep()), GroupTop: int(o.GetGroupTop()),
			Normalise: o.GetNormalise(), NormEpsilon: o.GetNormEpsilon(), Factor: o.GetFactor(),
			Balance: o.GetBalance(),
		}
	case *pb.Node_ExpertLinear:
		o := m.ExpertLinear
		return &graph.ExpertLinear{
			Module: o.GetModule(), Weight: paramFrom(o.GetWeight()), Bias: paramFrom(o.GetBias()), Experts: int(o.GetExperts()),
			WeighInput: o.GetWeighInput(), Adapter: adapterFrom(o.GetAdapter()),
		}
	case *pb.Node_Combine:
		return &graph.Combine{Plain: m.Combine.GetPlain()}
	}
	return nil
}
