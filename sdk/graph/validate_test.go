package graph_test

import (
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/graph"
)

// A broken Graph is everything with one mistake.
type mistake struct {
	name  string
	spoil func(t *testing.T, g *graph.Graph)
	want  string
}

// TestValidate: each rule is refused, and the message names the node or parameter.
func TestValidate(t *testing.T) {
	if err := everything(t).Validate(); err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			g := everything(t)
			m.spoil(t, g)
			if err := g.Validate(); err == nil || !strings.Contains(err.Error(), m.want) {
				t.Errorf("error %v, want %q", err, m.want)
			}
		})
	}
}
