//go:build unix

package cli_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/halffloat"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// mixture makes a folder with a Mixtral of two layers that knows nothing, and with the
// tokenizer of the example's model:
//
//	mixture DIR
func mixture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mixture DIR")
	}
	ts.Check(writeMixture(ts.MkAbs(args[0]), ts.Getenv("MODEL")))
}

func writeMixture(dir, tokenizerOf string) error {
	const vocabulary, hidden, inner, layers, experts = 512, 16, 8, 2, 4
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"tokenizer.json", "tokenizer_config.json", "generation_config.json"} {
		if err := os.Symlink(filepath.Join(tokenizerOf, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	configuration, err := json.Marshal(map[string]any{
		"architectures": []string{"MixtralForCausalLM"}, "model_type": "mixtral", "dtype": "float32", "hidden_act": "silu",
		"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": 2, "num_key_value_heads": 1,
		"num_local_experts": experts, "num_experts_per_tok": 2, "vocab_size": vocabulary, "max_position_embeddings": 128,
		"rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": false, "eos_token_id": 0,
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), configuration, 0o644); err != nil {
		return err
	}
	specs := []tensorfile.Spec{}
	tensor := func(name string, shape ...int) {
		specs = append(specs, tensorfile.Spec{Name: name + ".weight", DType: dtype.F32, Shape: shape})
	}
	tensor("model.embed_tokens", vocabulary, hidden)
	for i := range layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		for name, out := range map[string]int{"q": hidden, "k": hidden / 2, "v": hidden / 2, "o": hidden} {
			tensor(layer+"self_attn."+name+"_proj", out, hidden)
		}
		tensor(layer+"input_layernorm", hidden)
		tensor(layer+"post_attention_layernorm", hidden)
		tensor(layer+"block_sparse_moe.gate", experts, hidden)
		for e := range experts {
			expert := fmt.Sprintf("%sblock_sparse_moe.experts.%d.", layer, e)
			tensor(expert+"w1", inner, hidden)
			tensor(expert+"w2", hidden, inner)
			tensor(expert+"w3", inner, hidden)
		}
	}
	tensor("model.norm", hidden)
	tensor("lm_head", vocabulary, hidden)
	return drawTensors(filepath.Join(dir, "model.safetensors"), specs)
}

// drawTensors writes a file of tensors: vectors of ones, matrices of small numbers that
// depend on their names.
func drawTensors(path string, specs []tensorfile.Spec) error {
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		return err
	}
	defer w.Close()
	for _, s := range specs {
		out, err := w.Tensor(s.Name)
		if err != nil {
			return err
		}
		seed, n := uint64(0), 1
		for i, b := range []byte(s.Name) {
			seed += uint64(i+1) * uint64(b)
		}
		for _, size := range s.Shape {
			n *= size
		}
		r, values := rand.New(rand.NewPCG(seed, 1)), make([]float32, n)
		for i := range values {
			values[i] = 1
			if !strings.Contains(s.Name, "norm") {
				values[i] = float32(0.2 * r.NormFloat64())
			}
		}
		data := make([]byte, 4*n)
		halffloat.EncodeFloat32(data, values)
		if _, err := out.Write(data); err != nil {
			return err
		}
	}
	return w.Commit()
}
