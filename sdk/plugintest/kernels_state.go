package plugintest

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/weights"
)

func kernelsStateRules() []rule[*kernelsKit] {
	return []rule[*kernelsKit]{
		{"kernels/deterministic", "the same steps give the same losses and parameters, to the bit", kernelsDeterministic},
		{"kernels/save-files", "Save writes the files that it names, with each trained parameter under its key, in float32", kernelsSave},
		{"kernels/save-weights-only", "asked for weights alone, Save leaves out what only a resumed run needs", kernelsSaveWeights},
		{"kernels/save-restore-exact", "a run that is saved and restored goes on with the same losses and parameters, to the bit", kernelsRestore},
		{"kernels/saved-adapter-loads", "Load takes the adapter that Save wrote", kernelsSavedAdapter},
		{"kernels/saved-pissa", "what Save writes of an adapter with a start is a plain one of twice the rank, which comes to the same", kernelsSavedPiSSA},
		{"kernels/restore-of-nothing", "Restore of a folder that holds no checkpoint is an error", kernelsRestoreNothing},
	}
}

func kernelsDeterministic(c *check, k *kernelsKit) {
	type trace struct {
		losses []float64
		values map[string][]float32
	}
	run := func() trace {
		s := k.open(c, k.dropout, nil)
		var t trace
		for _, r := range s.run(steps(3)...) {
			t.losses = append(t.losses, r.Loss, r.GradNorm)
		}
		t.values = s.readAll(kernels.TensorValue)
		return t
	}
	first, second := run(), run()
	if !slices.Equal(first.losses, second.losses) {
		c.fail("losses and norms are %v and %v", first.losses, second.losses)
	}
	if !reflect.DeepEqual(first.values, second.values) {
		c.fail("the parameters differ, the losses do not")
	}
}

// save saves into a new folder and gives it and the files.
func (k *kernelsKit) save(s *session, weightsOnly bool) (folder string, files []string) {
	folder = k.folder(s.c)
	files, err := s.backend.Save(s.c, &kernels.SaveRequest{Directory: folder, WeightsOnly: weightsOnly})
	s.c.must(err, "Save")
	entries, err := os.ReadDir(folder)
	s.c.must(err, "reading what was saved")
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	sorted := slices.Sorted(slices.Values(files))
	if !slices.Equal(found, sorted) {
		s.c.fail("Save names %q, the folder holds %q", sorted, found)
	}
	return folder, files
}

// checkSaved compares the trained parameters in a folder with the backend's.
func (s *session) checkSaved(folder string) {
	values := s.readAll(kernels.TensorValue)
	for _, t := range kernels.SavedTensors(s.request.Graph) {
		path := filepath.Join(folder, t.File)
		file, err := weights.Open(path)
		s.c.must(err, "opening %s", t.File)
		tensor, ok := file.Lookup(t.Key)
		if !ok || !slices.Equal(tensor.Shape, t.Shape()) {
			file.Close()
			s.c.fail("%s has no tensor %q of the shape %v", t.File, t.Key, t.Shape())
		}
		got := make([]float32, tensor.Elements())
		err = tensor.Float32(got, 0)
		dtype := tensor.DType.String()
		file.Close()
		s.c.must(err, "reading %q", t.Key)
		got, _ = t.Split(got)
		if !slices.Equal(got, values[t.Param.Name]) || dtype != "F32" {
			s.c.fail("%s: tensor %q, of the type %s, is not what ReadTensor gives", t.File, t.Key, dtype)
		}
	}
}

func kernelsSave(c *check, k *kernelsKit) {
	for _, f := range []*fixture{k.lora, k.full, k.pissa} {
		if f == nil || f == k.full && !slices.Contains(k.description.Adapters, "full") {
			continue
		}
		s := k.open(c, f, nil)
		s.run(steps(1)...)
		folder, _ := k.save(s, false)
		s.checkSaved(folder)
	}
}

func kernelsSaveWeights(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	s.run(steps(1)...)
	folder, files := k.save(s, true)
	s.checkSaved(folder)
	for _, name := range files {
		if strings.HasPrefix(name, kernels.StatePrefix) {
			c.fail("it wrote %s", name)
		}
	}
	_, all := k.save(s, false)
	for _, name := range all {
		if !slices.Contains(files, name) && !strings.HasPrefix(name, kernels.StatePrefix) {
			c.fail("a whole checkpoint has the file %s, whose name does not begin with %q", name, kernels.StatePrefix)
		}
	}
}

func kernelsRestore(c *check, k *kernelsKit) {
	for _, f := range []*fixture{k.dropout, k.full, k.dora, k.pissa} {
		if f == nil || f == k.full && !slices.Contains(k.description.Adapters, "full") {
			continue
		}
		all := steps(5)
		whole := k.open(c, f, nil)
		whole.run(all[:2]...)
		folder, _ := k.save(whole, false)
		want := whole.run(all[2:]...)
		values := whole.readAll(kernels.TensorValue)

		s := k.open(c, f, func(r *kernels.BindRequest) { r.Previous = whole.plan.Bound })
		restored, err := s.backend.Restore(c, folder)
		c.must(err, "Restore")
		if !s.plan.SameAsPrevious || !restored.Exact {
			c.fail("the same plan on the same machine is not met exactly (plan: %v, restored: %v, %q)", s.plan.SameAsPrevious, restored.Exact, restored.Notes)
		}
		for i, r := range s.run(all[2:]...) {
			if r.Loss != want[i].Loss || r.GradNorm != want[i].GradNorm {
				c.fail("step %d has the loss %v and the norm %v, without a restart %v and %v", r.Number, r.Loss, r.GradNorm, want[i].Loss, want[i].GradNorm)
			}
		}
		if !reflect.DeepEqual(s.readAll(kernels.TensorValue), values) {
			c.fail("the parameters differ after the restart, the losses do not")
		}
	}
}

func kernelsSavedPiSSA(c *check, k *kernelsKit) {
	k.needAdapters(c, "pissa")
	s := k.open(c, k.pissa, nil)
	s.run(steps(2)...)
	f := *k.pissa
	f.peft, _ = k.save(s, true)
	g, err := smallModel()
	c.must(err, "building the model")
	f.graph, err = adapt.Apply(g, adapt.LoRA{Rank: 16, Alpha: 32, Targets: []string{adapt.Auto}})
	c.must(err, "an adapter of twice the rank")
	batch := pack(newDocuments(9, 20)...)
	c.logProbsNear(k.open(c, &f, nil).score(s.train, batch)[0], s.score(s.train, batch)[0], k.close.logProb, "with the saved adapter, the log-probability")
}

func kernelsSavedAdapter(c *check, k *kernelsKit) {
	k.needAdapters(c, "lora")
	s := k.open(c, k.lora, nil)
	s.run(steps(2)...)
	f := *k.lora
	f.peft, _ = k.save(s, true)
	batch := pack(newDocuments(9, 20)...)
	if got, want := k.open(c, &f, nil).score(s.train, batch), s.score(s.train, batch); !reflect.DeepEqual(got, want) {
		c.fail("loaded again, the adapter gives other log-probabilities")
	}
}

func kernelsRestoreNothing(c *check, k *kernelsKit) {
	s := k.open(c, k.lora, nil)
	_, err := s.backend.Restore(c, k.folder(c))
	c.mustFault(err, "Restore of an empty folder", fault.Storage, fault.BadWeights, fault.BadInput)
	_, err = s.backend.Restore(c, filepath.Join(k.dir, "absent"))
	c.mustFault(err, "Restore of no folder", fault.Storage, fault.BadWeights, fault.BadInput)
}
