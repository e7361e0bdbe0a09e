package adapt

import (
	"fmt"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/head"
)

// tokenTables are where a Graph has a row for each token.
type tokenTables struct {
	embeds []*graph.Embed
	table  *graph.Param  // of them all
	head   *graph.Linear // tied where its weight is the table
	maps   []int         // nodes behind the head
}

func (t *tokenTables) tied() bool { return t.head.Weight == t.table.ID }

func tablesOf(g *graph.Graph) (*tokenTables, error) {
	t := &tokenTables{}
	for _, n := range g.Nodes {
		e, ok := n.Op.(*graph.Embed)
		if !ok {
			continue
		}
		if t.table != nil && t.table.ID != e.Table {
			return nil, fmt.Errorf("tokens: the model has two tables of them, %s and %s", t.table.Name, g.Params[e.Table].Name)
		}
		t.embeds, t.table = append(t.embeds, e), g.Params[e.Table]
	}
	found := head.Find(g)
	if t.table == nil || found == nil {
		return nil, fmt.Errorf("tokens: the model does not begin with an embedding and end with a linear")
	}
	linear, ok := g.Nodes[found.Nodes[0]].Op.(*graph.Linear)
	if !ok {
		return nil, fmt.Errorf("tokens: the model's head is no plain linear")
	}
	t.head, t.maps = linear, found.Nodes[1:]
	return t, nil
}

// Grow returns a copy of g that has so many more tokens: their rows in the
// embedding and in the head are the mean of the first used ones, as transformers
// begins with.
func Grow(g *graph.Graph, more, used int) (*graph.Graph, error) {
	c := g.Clone()
	t, err := tablesOf(c)
	if err != nil {
		return nil, err
	}
	if more < 1 || used < 1 || used > g.IDs() {
		return nil, fmt.Errorf("tokens: %d more, beside %d of %d", more, used, g.IDs())
	}
	params := []*graph.Param{t.table}
	if !t.tied() {
		params = append(params, c.Params[t.head.Weight])
	}
	if t.head.Bias != graph.NoParam {
		params = append(params, c.Params[t.head.Bias])
	}
	for _, p := range params {
		if p.Source == nil || p.Shape[0] != g.IDs() {
			return nil, fmt.Errorf("tokens: %s has the shape %v, and the model %d tokens", p.Name, p.Shape, g.IDs())
		}
		p.Source = graph.ConcatSources(0, p.Source, p.Source.Slice(0, 0, used, 1).Mean(more))
		p.Shape = slices.Clone(p.Shape)
		p.Shape[0] += more
	}
	for _, i := range t.maps {
		m := c.Nodes[i].Op.(*graph.Map) // head.Find gives maps behind the linear
		m.Width += more
		c.Values[c.Nodes[i].Outputs[0]].Width += more
	}
	for _, n := range c.Nodes {
		if n.Op == graph.Op(t.head) {
			c.Values[n.Outputs[0]].Width += more
		}
	}
	return c, c.Validate()
}

// TrainTokens returns a copy of g in which the rows of some tokens are trained, as
// PEFT's trainable_token_indices: in the embedding, and in the head beside it or, where
// both are one parameter, with it. They begin as they are; those from the token fresh
// on, which the model has never seen, as the mean of the rows before it. adapter is
// the name of the adapter that they belong to; "" is DefaultName.
func TrainTokens(g *graph.Graph, adapter string, ids []int, fresh int) (*graph.Graph, error) {
	if adapter == "" {
		adapter = DefaultName
	}
	c := g.Clone()
	t, err := tablesOf(c)
	if err != nil {
		return nil, err
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 || ids[0] < 0 || ids[len(ids)-1] >= g.IDs() || fresh < 1 {
		return nil, fmt.Errorf("tokens: ids %v, the model has %d", ids, g.IDs())
	}
	if p := c.Params[t.head.Weight]; t.table.Trainable || p.Trainable {
		return nil, fmt.Errorf("tokens: all rows of %s or %s are trained already", t.table.Name, p.Name)
	}
	if t.head.Adapter != nil {
		return nil, fmt.Errorf("tokens: %s has an adapter, and its rows cannot be trained beside", t.head.Module)
	}
	rows := func(p *graph.Param, module string) *graph.TokenRows {
		values := &graph.Param{
			ID: graph.ParamID(len(c.Params)), Name: peftPrefix + module + ".token_adapter.trainable_tokens_delta",
			Shape: []int{len(ids), p.Shape[1]}, Role: graph.RoleLoRA, Module: module, Source: rowsOf(p.Source, ids, fresh),
			Adapter: adapter, Trainable: true,
		}
		c.Params = append(c.Params, values)
		return &graph.TokenRows{Adapter: adapter, IDs: ids, Values: values.ID}
	}
	shared := rows(t.table, t.table.Module)
	for _, e := range t.embeds {
		e.Rows = shared
	}
	if t.tied() {
		t.head.Rows = shared
	} else {
		t.head.Rows = rows(c.Params[t.head.Weight], t.head.Module)
	}
	out := c.Clone() // tables that share rows have each their own op
	return out, out.Validate()
}

// rowsOf are rows of a table.
func rowsOf(table *graph.Source, ids []int, fresh int) *graph.Source {
	var parts []*graph.Source
	unseen := len(ids)
	for k, id := range ids {
		if id >= fresh {
			unseen = k
			break
		}
		parts = append(parts, table.Slice(0, id, id+1, 1))
	}
	if n := len(ids) - unseen; n > 0 {
		parts = append(parts, table.Slice(0, 0, fresh, 1).Mean(n))
	}
	return graph.ConcatSources(0, parts...)
}

// PEFTTokens is trainable_token_indices for PEFT's adapter_config.json: ids where
// embedding and head are one parameter, ids by the names of the two elsewhere; nil
// for none.
func PEFTTokens(g *graph.Graph) any {
	byName := map[string][]int{}
	tied := false
	for _, n := range g.Nodes {
		r := graph.RowsOf(n.Op)
		if r == nil {
			continue
		}
		byName[lastParts(g.Params[r.Values].Module, 1)] = r.IDs
		if l, ok := n.Op.(*graph.Linear); ok {
			tied = l.Module != g.Params[r.Values].Module
		}
	}
	if !tied {
		if len(byName) == 0 {
			return nil
		}
		return byName
	}
	for _, ids := range byName {
		return ids
	}
	return nil
}
