package parity

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	kit "github.com/honeml/hone/sdk/plugintest/golden"
	"github.com/honeml/hone/sdk/weights"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/gguf"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// ggufCases are cases whose models a GGUF file can say, with what is changed in
// their configurations so that it can.
var ggufCases = map[string]struct{ from, to string }{
	"llama":     {},
	"full-tied": {},
	"linear":    {},
	"yarn":      {},
	"llama3":    {},
	"bfloat16":  {},
	"bias":      {`"hidden_act": "gelu"`, `"hidden_act": "silu"`},
	"qwen2":     {`"sliding_attention"`, `"full_attention"`},
	"qwen3":     {},
	"gemma":     {},
	"gemma2":    {`"query_pre_attn_scalar": 20`, `"query_pre_attn_scalar": 12`},
	"gemma3":    {`"query_pre_attn_scalar": 20`, `"query_pre_attn_scalar": 12`},
	"phi3":      {},
	"phi4":      {},
	"granite":   {},
	"smollm3":   {"    0\n  ]", "    1\n  ]"},
	"olmo2":     {},
	"olmo3":     {},
	"cohere2":   {},
	"glm4":      {},
	"exaone4":   {`"sliding_window": 5`, `"sliding_window": null`},
	// llama.cpp would read no window; hone does.
	"starcoder2": {},
	"lfm2":       {},
	"ministral":  {`"sliding_attention"`, `"full_attention"`},
	"ministral3": {},
	"qwen3moe":   {},
	"mixtral":    {`"sliding_window": 5`, `"sliding_window": null`},
	"gpt-oss":    {`"swiglu_limit": 1.5`, `"swiglu_limit": 7.0`},
	"deepseek":   {},
}

// TestGGUF writes checkpoints as GGUF files, as the model plugin says that they
// are written, and opens these as models: the log-probabilities are the checkpoint's.
func TestGGUF(t *testing.T) {
	for name, change := range ggufCases {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			dir := g.checkpoint(t, "config.json")
			if change.from != "" {
				edit(t, filepath.Join(dir, "config.json"), change.from, change.to)
			}
			m := open(t, dir, g.MaxLength)
			path := filepath.Join(t.TempDir(), "model.gguf")
			writeGGUF(t, m, path)
			want := scoreModel(t, m, g)
			within(t, "log-probabilities of the file", scoreModel(t, open(t, path, g.MaxLength), g), want, exactTolerance)
			if base, ok := g.Tensors["logits/base"]; ok && change.from == "" {
				within(t, "log-probabilities of the checkpoint", want, logProbs(base, g.Probes...), logitsTolerance)
			}
		})
	}
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), from) {
		t.Fatalf("%s lacks %s", path, from)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// scoreModel is the log-probabilities of the case's probes under a bare model.
func scoreModel(t *testing.T, m *basemodel.Model, g *golden) []float32 {
	t.Helper()
	s := bind(t, setup{model: m, graph: m.Graph, maxLength: g.MaxLength})
	return s.score("", kit.Pack(g.Probes...))
}

// toGGUF asks the model plugin how a checkpoint is written.
func toGGUF(t *testing.T, m *basemodel.Model) (*model.ToGGUFResponse, error) {
	t.Helper()
	return modelPlugin(t, m.Architecture).ToGGUF(t.Context(), &model.ToGGUFRequest{
		Configuration: m.Configuration, Tensors: m.Checkpoint.Names(),
	})
}

// writeGGUF writes a checkpoint as a GGUF file in float32.
func writeGGUF(t *testing.T, m *basemodel.Model, path string) {
	t.Helper()
	answer, err := toGGUF(t, m)
	if err != nil {
		t.Fatal(err)
	}
	keys := []gguf.KeyValue{{Key: "general.name", Value: "tiny"}}
	for _, key := range slices.Sorted(maps.Keys(answer.Metadata)) {
		keys = append(keys, gguf.KeyValue{Key: key, Value: answer.Metadata[key]})
	}
	var specs []tensorfile.Spec
	values := make([][]float32, len(answer.Tensors))
	for i, tensor := range answer.Tensors {
		shape := []int{len(tensor.Values)}
		values[i] = tensor.Values
		if tensor.Source != nil {
			values[i], shape = evaluate(t, m, tensor)
		}
		specs = append(specs, tensorfile.Spec{Name: tensor.Name, DType: dtype.F32, Shape: shape})
	}
	w, err := gguf.Create(path, keys, specs, tensorfile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i, tensor := range answer.Tensors {
		out, err := w.Tensor(tensor.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := out.WriteFloat32(values[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

func evaluate(t *testing.T, m *basemodel.Model, tensor model.GGUFTensor) (values []float32, shape []int) {
	t.Helper()
	array, err := weights.Resolve(m.Checkpoint, tensor.Source)
	if err != nil {
		t.Fatal(err)
	}
	n := 1
	for _, d := range array.Shape() {
		n *= d
	}
	values = make([]float32, n)
	if err := array.Float32(values, 0); err != nil {
		t.Fatal(err)
	}
	return values, array.Shape()
}

// TestGGUFCannotSay: models that a GGUF file would make another of are refused, by
// the plugin's process as in the process.
func TestGGUFCannotSay(t *testing.T) {
	for name, want := range map[string]string{
		"cohere":  "use_qk_norm: llama.cpp reads norms of queries and keys of models of 64 layers or more alone, this one has 2",
		"dynamic": `rope type "dynamic" has no place in a GGUF file of this architecture`,
		"qwen3moe-mixed": "norm_topk_prob: a GGUF file of this architecture cannot say that the weights of experts are left as they are: " +
			"llama.cpp makes them add up to 1",
		"bias": "hidden_act: a GGUF file of this architecture cannot say that the activation is gelu: it would be read as silu",
	} {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			_, err := toGGUF(t, open(t, g.checkpoint(t, "config.json"), g.MaxLength))
			if err == nil || err.Error() != want || !errors.Is(err, fault.Unsupported) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

// TestGGUFInPython: the gguf package reads the files that hone writes, and
// transformers finds in them the configuration and the logits of the checkpoint.
func TestGGUFInPython(t *testing.T) {
	if os.Getenv(pythonEnv) == "" {
		t.Skipf("%s names no Python", pythonEnv)
	}
	type request struct {
		File      string    `json:"file"`
		Model     string    `json:"model"`
		Partly    bool      `json:"partly"`
		MaxLength int       `json:"max_length"`
		Documents [][]int32 `json:"documents"`
	}
	type answer struct {
		Keys         map[string]string // types by key
		Tensors      map[string][]int  // row-major shapes by name
		Differing    []string          // keys of the configuration
		LogProbs     []float64         `json:"log_probs"`
		WantLogProbs []float64         `json:"want_log_probs"`
	}
	var requests []request
	var downs []*graph.Param // the weights of the second layers' last linears
	for _, test := range readInPython {
		g := readGolden(t, test.name)
		dir := g.checkpoint(t, "config.json")
		if change := ggufCases[test.name]; change.from != "" {
			edit(t, filepath.Join(dir, "config.json"), change.from, change.to)
		}
		path := filepath.Join(t.TempDir(), "model.gguf")
		m := open(t, dir, g.MaxLength)
		writeGGUF(t, m, path)
		notDown := func(p *graph.Param) bool {
			return p.Role != graph.RoleExpertDown && (p.Role != graph.RoleMLPDown || len(p.Shape) != 2)
		}
		downs = append(downs, slices.DeleteFunc(slices.Clone(m.Graph.Params), notDown)[1])
		requests = append(requests, request{path, dir, test.partly, g.MaxLength, g.Probes})
	}
	var answers []answer
	python(t, "check_gguf.py", requests, &answers)
	for i, test := range readInPython {
		t.Run(test.name, func(t *testing.T) {
			a := answers[i]
			within(t, "log-probabilities of the file in transformers", a.LogProbs, a.WantLogProbs, exactTolerance)
			if len(a.Differing) > 0 {
				t.Errorf("the configurations differ in %v", a.Differing)
			}
			for key, want := range map[string]string{
				test.architecture + ".block_count": "UINT32", test.architecture + ".rope.freq_base": "FLOAT32",
				"general.architecture": "STRING",
			} {
				if a.Keys[key] != want {
					t.Errorf("%s is %q, want %s", key, a.Keys[key], want)
				}
			}
			down := "blk.1.ffn_down.weight"
			if downs[i].Role == graph.RoleExpertDown {
				down = "blk.1.ffn_down_exps.weight"
			}
			if got, want := a.Tensors[down], downs[i].Shape; !slices.Equal(got, want) {
				t.Errorf("%s has shape %v, want %v", down, got, want)
			}
		})
	}
}

// readInPython are those of ggufCases that transformers reads from GGUF, with the
// architecture of their files. Of those that it reads partly, it takes the tensors and
// is given the configuration. It reads no scaling of RoPE.
var readInPython = []struct {
	name, architecture string
	partly             bool
}{
	{"llama", "llama", false},
	{"full-tied", "llama", false},
	{"qwen2", "qwen2", false},
	{"qwen3", "qwen3", true},
	{"qwen3moe", "qwen3moe", true},
	{"gemma2", "gemma2", true},
	{"gemma3", "gemma3", true},
	{"phi3", "phi3", true},
	{"phi4", "phi3", true},
	{"starcoder2", "starcoder2", true},
	{"lfm2", "lfm2", true},
}

// TestGGUFNames: each tensor has the name that the gguf package gives it, and no
// other is written.
func TestGGUFNames(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "gguf_names.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]struct {
		Architecture string
		Tensors      map[string]string
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for name, w := range want {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			dir := g.checkpoint(t, "config.json")
			if change := ggufCases[name]; change.from != "" {
				edit(t, filepath.Join(dir, "config.json"), change.from, change.to)
			}
			answer, err := toGGUF(t, open(t, dir, g.MaxLength))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, tensor := range answer.Tensors {
				if tensor.Source != nil {
					got[tensor.Name] = tensor.Source.Tensors()[0]
				}
			}
			if answer.Architecture != w.Architecture || !maps.Equal(got, w.Tensors) {
				t.Errorf("%s, %v\nwant %s, %v", answer.Architecture, got, w.Architecture, w.Tensors)
			}
		})
	}
}
