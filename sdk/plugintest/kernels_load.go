package plugintest

import (
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/kernels/principal"
)

func kernelsLoadRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/load-progress", "Load reports progress that grows and ends at the total", kernelsProgress},
		{"kernels/bad-weights-named", "a tensor that is missing or of another shape is refused as bad weights, which name it", kernelsBadWeights},
		{"kernels/bad-adapter-named", "so is one of an adapter to start from", kernelsBadAdapter},
		{"kernels/fresh-adapter", "a fresh adapter changes nothing yet: B is zero, A drawn by the seed within PEFT's bounds", kernelsFreshAdapter},
		{"kernels/fresh-dora", "nor does a fresh one with DoRA: its magnitudes are the norms of the model's rows", kernelsFreshDoRA},
		{"kernels/fresh-pissa", "nor does a fresh one with a start, which begins with the principal part of the model's weights", kernelsFreshPiSSA},
		{"kernels/random-weights", "random weights are those of package initial, by their seed; with a checkpoint beside them they are refused as bad input", kernelsRandom},
		{"kernels/read-tensor", "ReadTensor gives what was loaded, and refuses what is not trained", kernelsReadTensor},
	}
}

func kernelsProgress(c *check, k *kernelsKit) {
	b := start(c, k.start).Service
	_, err := b.Bind(c, k.request(k.lora))
	c.must(err, "Bind")
	var reports [][2]int64
	err = b.Load(c, &kernels.LoadRequest{Checkpoint: []string{k.lora.checkpoint}, Adapter: k.lora.peft}, func(done, total int64) {
		reports = append(reports, [2]int64{done, total})
	})
	c.must(err, "Load")
	if len(reports) == 0 {
		c.fail("there is none")
	}
	last := int64(-1)
	for _, r := range reports {
		if r[0] < last || r[1] <= 0 || r[0] > r[1] || r[1] != reports[0][1] {
			c.fail("%d of %d bytes after %d", r[0], r[1], last)
		}
		last = r[0]
	}
	if last != reports[0][1] {
		c.fail("it ends at %d of %d bytes", last, reports[0][1])
	}
}

// loadOf binds the kit's model and loads something else.
func (k *kernelsKit) loadOf(c *check, req *kernels.LoadRequest) error {
	b := start(c, k.start).Service
	_, err := b.Bind(c, k.request(k.lora))
	c.must(err, "Bind")
	return b.Load(c, req, nil)
}

func kernelsBadWeights(c *check, k *kernelsKit) {
	const victim = "model.layers.1.mlp.up_proj.weight"
	tests := []struct {
		what   string
		change func([]namedTensor) []namedTensor
	}{
		{"a tensor is missing", func(all []namedTensor) []namedTensor {
			return slices.DeleteFunc(all, func(t namedTensor) bool { return t.name == victim })
		}},
		{"a tensor has another shape", func(all []namedTensor) []namedTensor {
			i := slices.IndexFunc(all, func(t namedTensor) bool { return t.name == victim })
			all[i].shape = []int{all[i].shape[1], all[i].shape[0]}
			return all
		}},
	}
	for _, test := range tests {
		var all []namedTensor
		for _, p := range k.lora.graph.Params {
			if p.Source != nil {
				all = append(all, namedTensor{p.Name, p.Shape, k.lora.values[p.ID]})
			}
		}
		folder := k.folder(c)
		c.must(writeTensors(filepath.Join(folder, "model.safetensors"), test.change(all)), "writing weights")
		err := k.loadOf(c, &kernels.LoadRequest{Checkpoint: []string{folder}})
		c.mustBe(err, fault.BadWeights, "%s", test.what)
		if !strings.Contains(err.Error(), victim) {
			c.fail("%s: the error %q does not name %q", test.what, err, victim)
		}
	}
	err := k.loadOf(c, &kernels.LoadRequest{Checkpoint: []string{filepath.Join(k.dir, "absent.safetensors")}})
	c.mustBe(err, fault.BadWeights, "a file that is not there")
}

func kernelsBadAdapter(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	saved := kernels.SavedTensors(k.lora.graph)
	victim := saved[3].Key
	var tensors []namedTensor
	for _, s := range saved {
		if s.Key != victim {
			tensors = append(tensors, namedTensor{s.Key, s.Param.Shape, k.lora.values[s.Param.ID]})
		}
	}
	folder := k.folder(c)
	c.must(writeTensors(filepath.Join(folder, kernels.AdapterFile), tensors), "writing an adapter")
	err := k.loadOf(c, &kernels.LoadRequest{Checkpoint: []string{k.lora.checkpoint}, Adapter: folder})
	c.mustBe(err, fault.BadWeights, "an adapter without %q", victim)
	if !strings.Contains(err.Error(), victim) {
		c.fail("an adapter without %q: the error %q does not name it", victim, err)
	}
	err = k.loadOf(c, &kernels.LoadRequest{Checkpoint: []string{k.lora.checkpoint}, Adapter: k.folder(c)})
	c.mustBe(err, fault.BadWeights, "an adapter's folder that is empty")
}

// openFresh is a session with an adapter that no file holds.
func (k *kernelsKit) openFresh(c *check, seed uint64) *session {
	f := *k.lora
	f.peft = ""
	return k.open(c, &f, func(r *kernels.BindRequest) { r.Settings.Seed = seed })
}

func kernelsFreshAdapter(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	s := k.openFresh(c, 1)
	values := s.readAll(kernels.TensorValue)
	for _, p := range s.request.Graph.Trainable() {
		bound := 0.0
		if p.Init == graph.InitKaiming {
			bound = 1 / math.Sqrt(float64(p.Shape[len(p.Shape)-1]))
		}
		largest := 0.0
		for _, v := range values[p.Name] {
			largest = math.Max(largest, math.Abs(float64(v)))
		}
		if largest > bound*1.0001 || largest < bound*0.9 {
			c.fail("%q (%s) has elements of up to %.4g, they have to reach just %.4g", p.Name, p.Init, largest, bound)
		}
	}
	batch := pack(newDocuments(1, 12)...)
	c.logProbsNear(s.score(s.train, batch)[0], s.score("", batch)[0], k.close.logProb, "with the adapter on, the log-probability")
	again := k.openFresh(c, 1).readAll(kernels.TensorValue)
	if !reflect.DeepEqual(again, values) {
		c.fail("the same seed draws another adapter")
	}
	if other := k.openFresh(c, 2).readAll(kernels.TensorValue); reflect.DeepEqual(other, values) {
		c.fail("another seed draws the same adapter")
	}
}

func kernelsFreshDoRA(c *check, k *kernelsKit) {
	k.needAdapters(c, "dora")
	f := *k.dora
	f.peft = ""
	s := k.open(c, &f, nil)
	values := s.readAll(kernels.TensorValue)
	for _, n := range f.graph.Nodes {
		l, ok := n.Op.(*graph.Linear)
		if !ok || l.Adapter == nil {
			continue
		}
		magnitude, in := f.graph.Params[l.Adapter.Magnitude], f.graph.Params[l.Weight].Shape[1]
		for i, got := range values[magnitude.Name] {
			sum := 0.0
			for _, w := range f.values[l.Weight][i*in : (i+1)*in] {
				sum += w * w
			}
			if want := math.Sqrt(sum); !(math.Abs(float64(got)-want) <= 1e-2*want) { // weights may be held rounded
				c.fail("element %d of %q is %.4g, its row has the norm %.4g", i, magnitude.Name, got, want)
			}
		}
	}
	batch := pack(newDocuments(1, 12)...)
	c.logProbsNear(s.score(s.train, batch)[0], s.score("", batch)[0], k.close.logProb, "with the adapter on, the log-probability")
}

func kernelsFreshPiSSA(c *check, k *kernelsKit) {
	k.needAdapters(c, "pissa")
	f := *k.pissa
	f.peft = ""
	s := k.open(c, &f, nil)
	values := s.readAll(kernels.TensorValue)
	for _, o := range principal.Linears(f.graph) {
		a, shape, w := o.Adapter, f.graph.Params[o.Weight].Shape, f.values[o.Weight]
		inevitable := 0.0
		for _, v := range w {
			inevitable += v * v
		}
		for _, v := range principal.Decompose(principal.Dense(narrow(w), shape[0], shape[1]), a.Rank).Values {
			inevitable -= v * v
		}
		down, up := values[f.graph.Params[a.A].Name], values[f.graph.Params[a.B].Name]
		left := 0.0
		for i := range shape[0] {
			for j := range shape[1] {
				d := w[i*shape[1]+j]
				for r := range a.Rank {
					d -= a.Scaling() * float64(up[i*a.Rank+r]) * float64(down[r*shape[1]+j])
				}
				left += d * d
			}
		}
		if !(left <= 1.01*inevitable) {
			c.fail("%s: A and B leave %.4g of the weight's squares, the singular values beyond their rank %.4g", o.Module, left, inevitable)
		}
	}
	batch := pack(newDocuments(1, 12)...)
	c.logProbsNear(s.score(s.train, batch)[0], s.score("", batch)[0], k.close.logProb, "with the adapter on, the log-probability")
}

func kernelsReadTensor(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	for name, got := range s.readAll(kernels.TensorValue) {
		i := slices.IndexFunc(k.lora.graph.Params, func(p *graph.Param) bool { return p.Name == name })
		for j, want := range k.lora.values[i] {
			if got[j] != float32(want) {
				c.fail("element %d of %q is %v, %v was loaded", j, name, got[j], want)
			}
		}
	}
	ask := func(name string, kind kernels.TensorKind) error {
		_, err := s.backend.ReadTensor(c, &kernels.ReadTensorRequest{Name: name, Kind: kind}, func([]float32) error { return nil })
		return err
	}
	trainable := k.lora.graph.Trainable()[0].Name
	c.mustBe(ask("no.such.parameter", kernels.TensorValue), fault.BadInput, "a parameter that there is not")
	c.mustBe(ask("lm_head.weight", kernels.TensorValue), fault.BadInput, "a parameter that is not trained")
	c.mustBe(ask(trainable, "curvature"), fault.BadInput, "a kind that there is not")
	c.mustBe(ask(trainable, kernels.TensorGradient), fault.OutOfOrder, "a gradient before the first step")
}

// kernelsRandom holds a model of drawn weights to the reference's.
func kernelsRandom(c *check, k *kernelsKit) {
	f := *k.lora
	f.peft, f.random = "", &kernels.RandomWeights{Seed: 5, StdDev: 0.2}
	batch := pack(newDocuments(1, 20)...)
	want := k.reference(c, &f, nil).score("", batch)[0]
	limit := allow(k.close.logProb, farthest(k.rounded(c, &f, nil).score("", batch)[0], want))
	c.logProbsNear(k.open(c, &f, nil).score("", batch)[0], want, limit, "of random weights, the log-probability")
	f.random = &kernels.RandomWeights{Seed: 6, StdDev: 0.2}
	if got := k.open(c, &f, nil).score("", batch)[0]; farthest(got, want) <= limit {
		c.fail("another seed draws the same weights")
	}
	err := k.loadOf(c, &kernels.LoadRequest{Checkpoint: []string{k.lora.checkpoint}, Random: f.random})
	c.mustBe(err, fault.BadInput, "random weights and a checkpoint")
	err = k.loadOf(c, &kernels.LoadRequest{Random: &kernels.RandomWeights{StdDev: -1}})
	c.mustBe(err, fault.BadInput, "random weights with a standard deviation of -1")
}
