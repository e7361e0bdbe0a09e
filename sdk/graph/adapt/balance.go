package adapt

import (
	"errors"

	"github.com/honeml/hone/sdk/graph"
)

// ErrNoExperts reports a Graph without a route.
var ErrNoExperts = errors.New("it has no mixtures of experts")

// Balance is g with a balancing loss of that coefficient, at least 0, on all of its
// routes; see [graph.Route]. A Graph without a route is [ErrNoExperts].
func Balance(g *graph.Graph, coefficient float64) (*graph.Graph, error) {
	c, found := g.Clone(), false
	for _, n := range c.Nodes {
		if r, ok := n.Op.(*graph.Route); ok {
			r.Balance, found = coefficient, true
		}
	}
	if !found {
		return nil, ErrNoExperts
	}
	return c, c.Validate()
}
