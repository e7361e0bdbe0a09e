package plugintest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/weights"
)

func modelGGUFRules() []rule[*modelKit] {
	return []rule[*modelKit]{
		{"model/gguf-round-trip", "a checkpoint written as GGUF and read back is the same model, tensor by tensor", modelGGUF},
		{"model/gguf-refuses-nonsense", "FromGGUF of a file without the architecture's keys is refused as an invalid model", modelGGUFNonsense},
	}
}

func modelGGUF(c *check, k *modelKit) {
	if len(k.description.GGUFArchitectures) == 0 {
		c.skip("it answers for no architecture of GGUF")
	}
	k.eachConfiguration(c, func(configuration []byte, m model.Model) {
		g := build(c, m, &model.BuildRequest{Configuration: configuration})
		original := k.randomCheckpoint(c, g)
		file, ask := k.writeGGUF(c, m, configuration, original)
		written := fmt.Sprint(ask.Metadata["general.architecture"])
		if own := k.description.GGUFArchitectures; !slices.Contains(own, written) && !slices.Contains(own, written+model.WithExperts) {
			// Another plugin's, unless it takes the file for one of its own.
			if _, err := m.FromGGUF(c, ask); errors.Is(err, fault.Unsupported) {
				return
			}
			c.fail("ToGGUF writes the architecture %s, it answers for %q", written, k.description.GGUFArchitectures)
		}
		back, err := m.FromGGUF(c, ask)
		c.must(err, "FromGGUF of what ToGGUF gives")
		if back == nil {
			c.fail("FromGGUF: neither an answer nor an error")
		}
		again := build(c, m, &model.BuildRequest{Configuration: back.Configuration})
		compareTensors(c, g, again, original, file, back.Tensors)
		compareLogits(c, g, again)
	})
}

// randomCheckpoint writes random weights for a graph.
func (k *modelKit) randomCheckpoint(c *check, g *graph.Graph) *weights.Checkpoint {
	rng := rand.New(rand.NewPCG(8, 9))
	var tensors []namedTensor
	for _, p := range g.Params {
		parts, err := storedAs(p, randomValues(rng, p))
		if err != nil {
			c.skip("the kit cannot make a checkpoint: %v", err)
		}
		tensors = append(tensors, parts...)
	}
	return k.writeFile(c, tensors)
}

// writeFile makes a file of tensors and opens it.
func (k *modelKit) writeFile(c *check, tensors []namedTensor) *weights.Checkpoint {
	dir, err := os.MkdirTemp(k.dir, "file-")
	c.must(err, "making a folder")
	path := filepath.Join(dir, "model.safetensors")
	c.must(writeTensors(path, tensors), "writing tensors")
	checkpoint, err := weights.Open(path)
	c.must(err, "opening tensors")
	c.cleanup(func() { checkpoint.Close() })
	return checkpoint
}

// writeGGUF does with a checkpoint what ToGGUF says, into a file of the kit's own kind,
// and gives what FromGGUF is asked about it.
func (k *modelKit) writeGGUF(c *check, m model.Model, configuration []byte, original *weights.Checkpoint) (*weights.Checkpoint, *model.FromGGUFRequest) {
	out, err := m.ToGGUF(c, &model.ToGGUFRequest{Configuration: configuration, Tensors: original.Names()})
	if errors.Is(err, fault.Unsupported) {
		c.skip("ToGGUF: %v", err)
	}
	c.must(err, "ToGGUF")
	if out == nil {
		c.fail("ToGGUF: neither an answer nor an error")
	}
	ask := &model.FromGGUFRequest{Metadata: map[string]any{"general.architecture": out.Architecture}, Tensors: map[string][]int{}, RopeFactors: map[string][]float32{}}
	for key, v := range out.Metadata {
		wide, err := widened(v)
		c.must(err, "ToGGUF's key %q", key)
		ask.Metadata[key] = wide
	}
	var tensors []namedTensor
	for _, t := range out.Tensors {
		written := namedTensor{name: t.Name, shape: []int{len(t.Values)}}
		for _, v := range t.Values {
			written.values = append(written.values, float64(v))
		}
		if t.Source != nil {
			written.shape, written.values = resolved(c, original, t.Source, "GGUF tensor "+t.Name)
		}
		if _, twice := ask.Tensors[t.Name]; twice {
			c.fail("ToGGUF gives the tensor %q twice", t.Name)
		}
		ask.Tensors[t.Name] = written.shape
		if strings.HasPrefix(t.Name, "rope_") {
			for _, v := range written.values {
				ask.RopeFactors[t.Name] = append(ask.RopeFactors[t.Name], float32(v))
			}
		}
		tensors = append(tensors, written)
	}
	return k.writeFile(c, tensors), ask
}

// resolved reads an expression over a file's tensors.
func resolved(c *check, file *weights.Checkpoint, s *graph.Source, what string) (shape []int, values []float64) {
	array, err := weights.Resolve(file, s)
	c.must(err, "%s", what)
	narrow := make([]float32, array.Elements())
	c.must(array.Float32(narrow, 0), "%s", what)
	values = make([]float64, len(narrow))
	for i, v := range narrow {
		values[i] = float64(v)
	}
	return array.Shape(), values
}

// alone is what a parameter is called in a model that is nothing but the part which g
// is of: files hold no other part.
func alone(g *graph.Graph, name string) string {
	part := g.Notes[graph.PartNote]
	root, _, _ := strings.Cut(part, ".")
	if rest, ok := strings.CutPrefix(name, part+"."); ok {
		return root + "." + rest
	}
	return name
}

// compareTensors holds every parameter, read out of the GGUF file, to the original.
func compareTensors(c *check, g, again *graph.Graph, original, file *weights.Checkpoint, tensors map[string]*graph.Source) {
	if len(again.Params) != len(g.Params) {
		c.fail("read back, the model has %d parameters, it had %d", len(again.Params), len(g.Params))
	}
	byName := map[string]*graph.Param{}
	for _, p := range again.Params {
		byName[p.Name] = p
	}
	for _, p := range g.Params {
		other := byName[alone(g, p.Name)]
		if other == nil || !slices.Equal(other.Shape, p.Shape) {
			c.fail("read back, the model has no %q of the shape %v", p.Name, p.Shape)
		}
		missing := ""
		source := other.Source.MapTensors(func(t *graph.Source) *graph.Source {
			for _, name := range t.Names {
				if s := tensors[name]; s != nil {
					return s
				}
			}
			missing = t.Names[0]
			return t
		})
		if missing != "" && other.Source.Op != graph.SourceElse {
			c.fail("FromGGUF does not say where %q stands", missing)
		}
		_, want := resolved(c, original, p.Source, "parameter "+p.Name)
		_, got := resolved(c, file, source, "parameter "+p.Name+" in the GGUF file")
		if !slices.Equal(got, want) {
			c.fail("read back, %q has other values", p.Name)
		}
	}
}

// compareLogits runs both graphs with the same values: key-values of GGUF are float32.
func compareLogits(c *check, g, again *graph.Graph) {
	want, err := logits(g)
	canRun(c, err)
	c.must(err, "running the graph")
	got, err := logits(again)
	c.must(err, "running the graph that was read back")
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-4*(1+math.Abs(want[i]))) {
			c.fail("read back, the model computes the logit %v, it computed %v", got[i], want[i])
		}
	}
}

// widened is a value as FromGGUF gets it.
func widened(v any) (any, error) {
	switch x := v.(type) {
	case string, bool, int64, uint64, float64, []string, []bool, []int64, []float64:
		return v, nil
	case int:
		return int64(x), nil
	case int32:
		return int64(x), nil
	case uint32:
		return uint64(x), nil
	case float32:
		return float64(x), nil
	case []int32:
		return convert[int64](x), nil
	case []uint32:
		return convert[int64](x), nil
	case []float32:
		return convert[float64](x), nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}

func convert[T int64 | float64, F int32 | uint32 | float32](in []F) []T {
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = T(v)
	}
	return out
}

func modelGGUFNonsense(c *check, k *modelKit) {
	if len(k.description.GGUFArchitectures) == 0 {
		c.skip("it answers for no architecture of GGUF")
	}
	m := start(c, k.start).Service
	for what, metadata := range map[string]map[string]any{
		"nothing":               {},
		"no keys":               {"general.architecture": k.description.GGUFArchitectures[0]},
		"keys of another type":  {"general.architecture": k.description.GGUFArchitectures[0], k.description.GGUFArchitectures[0] + ".block_count": "many"},
		"keys beyond all sense": {"general.architecture": k.description.GGUFArchitectures[0], k.description.GGUFArchitectures[0] + ".block_count": uint64(math.MaxUint64)},
	} {
		_, err := m.FromGGUF(c, &model.FromGGUFRequest{Metadata: metadata, Tensors: map[string][]int{}, RopeFactors: map[string][]float32{}})
		c.mustFault(err, "FromGGUF of "+what, fault.InvalidModel, fault.Unsupported)
	}
}
