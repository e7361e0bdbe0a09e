package plugintest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/interp"
	"github.com/honeml/hone/sdk/model"
)

func modelBuildRules() []rule[*modelKit] {
	return []rule[*modelKit]{
		{"model/graph-valid", "its graphs are valid, carry the architecture's name and train nothing", modelValid},
		{"model/parameters-have-sources", "each parameter comes from the checkpoint, and its module is the path that PEFT knows", modelParameters},
		{"model/graph-runs", "with random weights its graphs compute finite logits", modelRuns},
		{"model/length-fixed", "the run's length is the graph's; 0 is the model's own", modelLength},
		{"model/untied", "asked for two sides of a tie, it gives two parameters", modelUntied},
		{"model/build-deterministic", "the same configuration gives the same graph, whatever was built before", modelDeterministic},
		{"model/concurrent", "several goroutines may build at once", modelConcurrent},
	}
}

func modelValid(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		g := build(c, m, &model.BuildRequest{Configuration: configuration})
		c.must(g.Validate(), "the graph of %s", summary(configuration))
		values := parsed(c, configuration)
		if names, _ := values["architectures"].([]any); len(names) > 0 && names[0] != g.Architecture {
			c.fail("the graph of %v carries the name %q", names[0], g.Architecture)
		}
		if size, ok := values["vocab_size"].(float64); ok && int(size) > g.Vocabulary() {
			c.fail("logits of %d ids for a vocabulary of %v", g.Vocabulary(), size)
		}
		if trained := g.Trainable(); len(trained) > 0 {
			c.fail("%q is marked as trained", trained[0].Name)
		}
		for _, n := range g.Nodes {
			if graph.AdapterOf(n.Op) != nil {
				c.fail("node %q has an adapter", n.Name)
			}
		}
	})
}

func modelParameters(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		g := build(c, m, &model.BuildRequest{Configuration: configuration})
		for _, p := range g.Params {
			switch {
			case p.Source == nil:
				c.fail("%q has no source", p.Name)
			case len(p.Source.Tensors()) == 0:
				c.fail("the source of %q names no tensor", p.Name)
			case p.Module == "" || p.Name != p.Module && !strings.HasPrefix(p.Name, p.Module+"."):
				c.fail("%q belongs to the module %q", p.Name, p.Module)
			}
		}
		modules := map[string]bool{}
		for _, i := range g.Linears() {
			linear, _ := g.Nodes[i].Op.(*graph.Linear)
			if linear.Module == "" || modules[linear.Module] {
				c.fail("two linears are the module %q, or one has none", linear.Module)
			}
			modules[linear.Module] = true
		}
	})
}

// logits runs a graph with random values; parameters of the same name and shape have
// the same.
func logits(g *graph.Graph) ([]float64, error) {
	values := make([][]float64, len(g.Params))
	for i, p := range g.Params {
		seed := uint64(0)
		for _, b := range []byte(alone(g, p.Name)) {
			seed = seed*131 + uint64(b)
		}
		values[i] = randomValues(rand.New(rand.NewPCG(seed, 5)), p)
	}
	rng := rand.New(rand.NewPCG(6, 7))
	var documents []document
	for i, n := range []int{7, 1, 11} {
		d := document{sample: int32(i), weights: make([]float32, n)}
		for range n {
			d.ids = append(d.ids, rng.Int32N(int32(g.IDs())))
		}
		documents = append(documents, d)
	}
	run, err := interp.New(g, func(id graph.ParamID) []float64 { return values[id] }, pack(documents...), interp.Options{})
	if err != nil {
		return nil, err
	}
	return run.Forward()
}

// canRun skips the rule for a graph that the interpreter does not implement.
func canRun(c *check, err error) {
	if errors.Is(err, fault.Unsupported) {
		c.skip("the interpreter cannot run the graph: %v", err)
	}
}

func modelRuns(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		_, err := logits(build(c, m, &model.BuildRequest{Configuration: configuration}))
		canRun(c, err)
		c.must(err, "running the graph of %s", summary(configuration))
	})
}

func modelLength(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		for _, length := range []int{16, 32} {
			g := build(c, m, &model.BuildRequest{Configuration: configuration, MaxLength: length})
			if g.MaxLength != length {
				c.fail("a graph for documents of %d tokens has the length %d", length, g.MaxLength)
			}
		}
		build(c, m, &model.BuildRequest{Configuration: configuration})
	})
}

func modelUntied(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		tied := changed(c, configuration, "tie_word_embeddings", true)
		one, err := m.Build(c, &model.BuildRequest{Configuration: tied})
		if err != nil {
			c.skip("it does not build %s: %v", summary(tied), err)
		}
		two := build(c, m, &model.BuildRequest{Configuration: tied, Untied: true})
		plain := build(c, m, &model.BuildRequest{Configuration: changed(c, configuration, "tie_word_embeddings", false)})
		if len(one.Params) == len(plain.Params) {
			c.skip("its configurations have no ties")
		}
		if len(two.Params) != len(plain.Params) {
			c.fail("tied it has %d parameters, untied %d; told that both sides are there, it has %d", len(one.Params), len(plain.Params), len(two.Params))
		}
	})
}

func modelDeterministic(c *check, k *modelKit) {
	var first []string
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		for range 2 {
			first = append(first, build(c, m, &model.BuildRequest{Configuration: configuration}).Text())
		}
	})
	m := start(c, k.start).Service
	for i := len(k.configurations) - 1; i >= 0; i-- { // in another order, by another instance
		text := build(c, m, &model.BuildRequest{Configuration: k.configurations[i]}).Text()
		for _, other := range first[2*i : 2*i+2] {
			if text != other {
				c.fail("the graphs of %s differ:\n%s", summary(k.configurations[i]), firstDifference(text, other))
			}
		}
	}
}

// firstDifference shows the first line in which two texts differ.
func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s\n%s", x[i], y[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(x), len(y))
}

func modelConcurrent(c *check, k *modelKit) {
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		want := build(c, m, &model.BuildRequest{Configuration: configuration}).Text()
		var group sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			group.Go(func() {
				g, err := m.Build(c, &model.BuildRequest{Configuration: configuration})
				if err == nil && g.Text() != want {
					err = errors.New("another graph")
				}
				errs[i] = err
			})
		}
		group.Wait()
		c.must(errors.Join(errs...), "building %d at once", len(errs))
	})
}
