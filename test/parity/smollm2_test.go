package parity

import (
	"encoding/json"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
	"github.com/honeml/hone/sdk/kernels"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// smolEnv names SmolLM2-135M-Instruct.Q4_1.gguf.
const smolEnv = "HONE_TEST_SMOLLM2"

// smol is what gen_smollm2.py wrote.
type smol struct {
	golden
	Config          map[string]any
	Prompt          []int32
	Greedy          []int32
	Documents       [][]int32
	LogProbs        [][]float64 `json:"log_probs"`
	StartLogProbs   [][]float64 `json:"start_log_probs"`
	TrainedLogProbs [][]float64 `json:"trained_log_probs"`
	Logits          [][]float64 // a digest of each row of the first document
	Gradients       map[string][]float64
	Trained         map[string][]float64
}

func readSmol(t *testing.T) (*smol, *basemodel.Model) {
	t.Helper()
	s := &smol{}
	return s, readReal(t, smolEnv, "smollm2.json", s)
}

// readReal reads what a script wrote of a real model, and opens the file that the
// environment variable names.
func readReal(t *testing.T, env, name string, into any) *basemodel.Model {
	t.Helper()
	path := os.Getenv(env)
	if path == "" {
		t.Skipf("%s names no file", env)
	}
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
	return open(t, path, 128)
}

// draw is n hashes of 32 bits: of the CRC-32 of the name plus the index, the same
// as gen_smollm2.py's.
func draw(name string, n int) []uint32 {
	seed := crc32.ChecksumIEEE([]byte(name))
	out := make([]uint32, n)
	for i := range out {
		h := uint32(i) + seed
		h *= 2654435761
		h ^= h >> 15
		h *= 2246822519
		h ^= h >> 13
		out[i] = h
	}
	return out
}

// uniform is n numbers from -scale to scale.
func uniform(name string, n int, scale float32) []float32 {
	out := make([]float32, n)
	for i, h := range draw(name, n) {
		out[i] = (float32(h>>8)/(1<<23) - 1) * scale
	}
	return out
}

// nearDigest fails the test unless values are within the tolerance of the tensor
// whose norm and projections on random signs digest holds: the root mean square of
// the differences of the projections estimates the norm of the difference.
func nearDigest[F float32 | float64](t *testing.T, what string, values []F, digest []float64, tolerance float64) float64 {
	t.Helper()
	projections := digest[1:]
	sum := 0.0
	for i, want := range projections {
		got := 0.0
		for j, h := range draw("projection "+string(rune('0'+i)), len(values)) {
			got += float64(values[j]) * (1 - 2*float64(h&1))
		}
		sum += (got - want) * (got - want)
	}
	d := math.Sqrt(sum/float64(len(projections))) / digest[0]
	if !(d <= tolerance) {
		t.Errorf("%s: %.2g of its norm apart, want at most %.0e", what, d, tolerance)
	}
	return d
}

// TestSmolLM2Config: model-llama makes of the file's key-values the configuration
// that transformers makes of them.
func TestSmolLM2Config(t *testing.T) {
	s, m := readSmol(t)
	var got map[string]any
	if err := json.Unmarshal(m.Configuration, &got); err != nil {
		t.Fatal(err)
	}
	for key, want := range s.Config {
		if !reflect.DeepEqual(got[key], want) {
			t.Errorf("%s is %v, transformers has %v", key, got[key], want)
		}
	}
}

// TestSmolLM2Interpreter: the logits of a document by the Graph's definition.
func TestSmolLM2Interpreter(t *testing.T) {
	s, m := readSmol(t)
	logits, err := kit.Logits(m.Graph, "", m.Checkpoint, nil, s.Documents[0])
	if err != nil {
		t.Fatal(err)
	}
	v := m.Graph.Vocabulary()
	worst := 0.0
	for i, digest := range s.Logits {
		worst = math.Max(worst, nearDigest(t, "a row of logits", logits[i*v:(i+1)*v], digest, logitsTolerance))
	}
	t.Logf("logits differ by at most %.1e of a row's norm", worst)
}

// TestSmolLM2 scores, generates and trains the real model through the kernels plugin.
func TestSmolLM2(t *testing.T) {
	s, m := readSmol(t)
	marked, err := adapt.Apply(m.Graph, adapt.LoRA{Rank: 16, Alpha: 32, Targets: []string{adapt.Auto}})
	if err != nil {
		t.Fatal(err)
	}
	b := bind(t, setup{
		model: m, graph: marked, adapter: adapt.DefaultName, start: writeStart(t, marked), maxLength: 128,
		optimizer: s.AdamW(), train: true,
	})
	within(t, "log-probabilities", b.score("", kit.Pack(s.Documents...)), slices.Concat(s.LogProbs...), logitsTolerance)
	within(t, "log-probabilities with the adapter", b.score(b.adapter, kit.Pack(s.Documents...)), slices.Concat(s.StartLogProbs...), logitsTolerance)
	continues(t, "the bare model", b.generate("", [][]int32{s.Prompt}, len(s.Greedy)), [][]int32{s.Greedy})

	for i := range s.Steps {
		step := s.step(i)
		r := b.train(step)[0]
		loss, norm := relative(r.Loss/r.Weight, s.Losses[i]), relative(r.GradNorm, s.GradNorms[i])
		t.Logf("step %d: loss differs by %.1e, gradient norm by %.1e", r.Number, loss, norm)
		if !(loss <= lossTolerance) || !(norm <= gradNormTolerance) {
			t.Errorf("step %d: loss %v, gradient norm %v, want %v and %v", r.Number, r.Loss/r.Weight, r.GradNorm, s.Losses[i], s.GradNorms[i])
		}
		if i == 0 {
			t.Logf("gradients differ by at most %.1e of their norms", digests(t, b, kernels.TensorGradient, s.Gradients, gradientTolerance))
		}
	}
	within(t, "log-probabilities after training", b.score(b.adapter, kit.Pack(s.Documents...)), slices.Concat(s.TrainedLogProbs...), logitsTolerance)
	t.Logf("trained parameters differ by at most %.1e of their norms", digests(t, b, kernels.TensorValue, s.Trained, trainedTolerance))
}

// step packs the documents of a step.
func (s *smol) step(i int) *kernels.Step {
	out := &kernels.Step{Number: int64(i + 1), LearningRate: s.Steps[i].Rate, Objective: kernels.CrossEntropy}
	for _, documents := range s.Steps[i].Batches {
		b := &graph.Batch{}
		for _, d := range documents {
			b.Append(int32(d), s.Documents[d], kit.WeightsFrom(0, len(s.Documents[d])))
		}
		out.Batches = append(out.Batches, b)
	}
	return out
}

// digests compares every trainable parameter, or its gradient, and gives the
// largest difference.
func digests(t *testing.T, b *session, kind kernels.TensorKind, want map[string][]float64, tolerance float64) float64 {
	t.Helper()
	params := kernels.SavedTensors(b.graph)
	if len(params) != len(want) {
		t.Errorf("%d trainable parameters, PEFT has %d", len(params), len(want))
	}
	worst := 0.0
	for _, p := range params {
		digest, ok := want[p.Key]
		if !ok {
			t.Fatalf("PEFT does not train %s", p.Key)
		}
		worst = math.Max(worst, nearDigest(t, p.Key, b.tensor(p.Param.Name, kind), digest, tolerance))
	}
	return worst
}

// writeStart writes the adapter that training starts from.
func writeStart(t *testing.T, g *graph.Graph) string {
	t.Helper()
	dir := t.TempDir()
	var specs []tensorfile.Spec
	for _, p := range kernels.SavedTensors(g) {
		specs = append(specs, tensorfile.Spec{Name: p.Key, DType: dtype.F32, Shape: p.Param.Shape})
	}
	w, err := safetensors.Create(filepath.Join(dir, kernels.AdapterFile), specs, safetensors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, p := range kernels.SavedTensors(g) {
		scale := float32(1.0 / 32)
		if strings.HasSuffix(p.Key, "lora_B.weight") {
			scale = 0.01
		}
		out, err := w.Tensor(p.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.WriteFloat32(uniform(p.Key, p.Param.Elements(), scale)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}
