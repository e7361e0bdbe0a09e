package graph

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// WriteText writes g in its text form: a line a parameter and a line a node,
// in order.
//
//	graph LlamaForCausalLM, documents of up to 2048 tokens
//	param model.embed_tokens.weight [49152 576] embed
//	%0 [T 576] = embed model.embed_tokens table=model.embed_tokens.weight
//	%1 [T 576] = norm(%0) model.layers.0.input_layernorm rms epsilon=1e-05 weight=…
//
// A parameter whose source is another than the tensor of its name shows it after
// "from". The form is for people and for golden tests; nothing reads it back.
func (g *Graph) WriteText(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "graph %s", g.Architecture)
	if g.MaxLength > 0 {
		fmt.Fprintf(out, ", documents of up to %d tokens", g.MaxLength)
	}
	fmt.Fprintln(out)
	for _, key := range slices.Sorted(maps.Keys(g.Notes)) {
		fmt.Fprintf(out, "note %s = %s\n", key, g.Notes[key])
	}
	for _, p := range g.Params {
		fmt.Fprintln(out, g.paramText(p))
	}
	for _, n := range g.Nodes {
		fmt.Fprintln(out, g.nodeText(n))
	}
	fmt.Fprintf(out, "logits %%%d\n", g.Logits)
	return out.Flush()
}

// Text is the text form of g; see [Graph.WriteText].
func (g *Graph) Text() string {
	var b strings.Builder
	_ = g.WriteText(&b) // a strings.Builder takes everything
	return b.String()
}

func (g *Graph) paramText(p *Param) string {
	s := fmt.Sprintf("param %s %v %s", p.Name, p.Shape, p.Role)
	switch {
	case p.Init != InitNone:
		s += " init=" + string(p.Init)
	case p.Source.String() != p.Name:
		s += " from " + p.Source.String()
	}
	if p.Trainable {
		s += " trainable"
	}
	return s
}

func (g *Graph) nodeText(n *Node) string {
	var b strings.Builder
	for i, id := range n.Outputs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%%%d %s", id, g.Values[id])
	}
	b.WriteString(" = " + n.Op.Name())
	if len(n.Inputs) > 0 {
		ids := make([]string, len(n.Inputs))
		for i, id := range n.Inputs {
			ids[i] = "%" + strconv.Itoa(int(id))
		}
		b.WriteString("(" + strings.Join(ids, ", ") + ")")
	}
	b.WriteString(" " + n.Name)
	for _, a := range g.attributes(n.Op) {
		b.WriteString(" " + a)
	}
	return b.String()
}

// attributeList collects "name=value" and "flag" texts, leaving out what is at
// its default.
type attributeList struct {
	g    *Graph
	list []string
}

func (a *attributeList) flag(name string, yes bool) {
	if yes {
		a.list = append(a.list, name)
	}
}

func (a *attributeList) number(name string, v, absent float64) {
	if v != absent {
		a.list = append(a.list, name+"="+strconv.FormatFloat(v, 'g', -1, 64))
	}
}

func (a *attributeList) count(name string, v, absent int) {
	a.number(name, float64(v), float64(absent))
}

func (a *attributeList) param(name string, id ParamID) {
	if id != NoParam {
		a.list = append(a.list, name+"="+a.g.Params[id].Name)
	}
}

func (a *attributeList) text(format string, args ...any) {
	a.list = append(a.list, fmt.Sprintf(format, args...))
}

func (a *attributeList) adapter(d *Adapter) {
	if d == nil {
		return
	}
	kind := "lora"
	switch {
	case d.Magnitude != NoParam:
		kind = "dora"
	case d.Start != nil:
		kind = "pissa"
	}
	inner := attributeList{g: a.g}
	inner.count("rank", d.Rank, 0)
	inner.number("alpha", d.Alpha, 0)
	inner.flag("rslora", d.RSLoRA)
	inner.number("dropout", d.Dropout, 0)
	inner.flag("bias", d.Bias != NoParam)
	a.text("%s:%s(%s)", kind, d.Name, strings.Join(inner.list, " "))
}

func (a *attributeList) rows(r *TokenRows) {
	if r != nil {
		a.text("rows:%s(%v %s)", r.Adapter, r.IDs, a.g.Params[r.Values].Name)
	}
}

func (g *Graph) attributes(op Op) []string {
	a := attributeList{g: g}
	switch o := op.(type) {
	case *Embed:
		a.param("table", o.Table)
		a.number("scale", o.Scale, 1)
		a.rows(o.Rows)
	case *Linear:
		a.param("weight", o.Weight)
		a.param("bias", o.Bias)
		a.flag("float32", o.Float32)
		a.adapter(o.Adapter)
		a.rows(o.Rows)
	case *Norm:
		a.flag("rms", !o.Centre)
		a.flag("layer", o.Centre)
		a.number("epsilon", o.Epsilon, -1)
		a.count("groups", o.Groups, 1)
		a.param("weight", o.Weight)
		a.param("bias", o.Bias)
		a.flag("plus_one", o.PlusOne)
	case *RoPE:
		a.count("heads", o.Heads, 0)
		a.count("offset", o.Offset, 0)
		a.flag("interleaved", o.Interleaved)
		a.number("factor", float64(o.Factor), 1)
		a.text("freq=%v", o.Freq)
	case *Attention:
		a.text("heads=%d/%d keys=%d values=%d", o.Heads, o.KVHeads, o.KeyWidth, o.ValueWidth)
		a.number("scale", o.Scale, 1)
		a.count("window", o.Window, 0)
		a.count("chunk", o.Chunk, 0)
		a.number("cap", o.Cap, 0)
		a.param("sinks", o.Sinks)
	case *Map:
		a.text("%q", o.Expr)
		for _, arg := range o.Args {
			if arg.Param != NoParam {
				a.param(arg.Name, arg.Param)
			} else {
				a.text("%s=$%d", arg.Name, arg.Input)
			}
		}
	case *Split:
		a.count("groups", o.Groups, 1)
		a.text("sizes=%v", o.Sizes)
	case *Concat:
		a.count("groups", o.Groups, 1)
		a.text("widths=%v", o.Widths)
		if slices.Contains(o.Repeat, true) {
			a.text("repeat=%v", o.Repeat)
		}
	default:
		g.expertAttributes(&a, op)
	}
	return a.list
}

func (g *Graph) expertAttributes(a *attributeList, op Op) {
	switch o := op.(type) {
	case *Conv:
		a.count("kernel", o.Kernel, 0)
		a.param("weight", o.Weight)
		a.param("bias", o.Bias)
	case *Route:
		a.count("experts", o.Experts, 0)
		a.count("top", o.TopK, 0)
		a.flag("sigmoid", o.Sigmoid)
		a.flag("softmax", !o.Sigmoid)
		a.flag("after", o.After)
		a.param("bias", o.Bias)
		if o.Groups > 1 {
			a.text("groups=%d keep=%d group_top=%d", o.Groups, o.Keep, o.GroupTop)
		}
		a.flag("normalise", o.Normalise)
		a.number("norm_epsilon", o.NormEpsilon, 0)
		a.number("factor", o.Factor, 1)
		a.number("balance", o.Balance, 0)
	case *ExpertLinear:
		a.count("experts", o.Experts, 0)
		a.param("weight", o.Weight)
		a.param("bias", o.Bias)
		a.flag("weigh_input", o.WeighInput)
		a.adapter(o.Adapter)
	case *Combine:
		a.flag("plain", o.Plain)
	}
}
