// Command recipe makes what the quickstart's base model is trained from: an
// untrained Llama of 0.8 million parameters with a tokenizer of its own, and the
// corpus of package world. make quickstart-model runs it, trains the model with
// hone (pretrain.hone.hcl) and puts the result where the program embeds it.
//
//	go run ./examples/quickstart/recipe FOLDER
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/honeml/hone/examples/quickstart/world"
	"github.com/honeml/hone/host/data/tokenizer/train"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/safetensors"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// The model's dimensions.
const (
	vocabulary   = 512
	hidden       = 128
	intermediate = 352
	layers       = 4
	heads        = 4
	kvHeads      = 2
	headWidth    = hidden / heads
	maxLength    = 128
	seed         = 1
)

// chatTemplate puts each message between its role and the end token.
const chatTemplate = `{%- for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|end|>' }}{%- endfor %}` +
	`{%- if add_generation_prompt %}{{ '<|assistant|>' }}{%- endif %}`

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: recipe FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "recipe: %v\n", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	model := filepath.Join(folder, "untrained")
	if err := os.MkdirAll(model, 0o755); err != nil {
		return err
	}
	corpus := world.Corpus(seed)
	if err := writeChats(filepath.Join(folder, "corpus.jsonl"), corpus); err != nil {
		return err
	}
	if err := writeChats(filepath.Join(folder, "lessons.jsonl"), world.Lessons(seed)); err != nil {
		return err
	}
	tales := world.Tales(seed, 400)
	if err := writeTexts(filepath.Join(folder, "tales.jsonl"), tales); err != nil {
		return err
	}
	tokenizer, err := train.Train(texts(tales, corpus), train.Options{
		VocabSize: vocabulary, Special: []string{"<|end|>", "<|system|>", "<|user|>", "<|assistant|>"},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(model, "tokenizer.json"), tokenizer, 0o644); err != nil {
		return err
	}
	if err := writeConfigurations(model); err != nil {
		return err
	}
	return writeWeights(filepath.Join(model, "model.safetensors"))
}

func texts(tales []string, chats []world.Chat) iter.Seq[string] {
	all := slices.Clone(tales)
	for _, c := range chats {
		all = append(all, c.System, c.Question, c.Answer)
	}
	return slices.Values(all)
}

func writeChats(path string, chats []world.Chat) error {
	var rows []any
	for _, c := range chats {
		messages := []map[string]string{{"role": "user", "content": c.Question}, {"role": "assistant", "content": c.Answer}}
		if c.System != "" {
			messages = slices.Insert(messages, 0, map[string]string{"role": "system", "content": c.System})
		}
		rows = append(rows, map[string]any{"messages": messages})
	}
	return writeRows(path, rows)
}

func writeTexts(path string, texts []string) error {
	var rows []any
	for _, t := range texts {
		rows = append(rows, map[string]string{"text": t})
	}
	return writeRows(path, rows)
}

// writeRows writes a JSON object a line.
func writeRows(path string, rows []any) error {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			return err
		}
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

func writeConfigurations(folder string) error {
	files := map[string]map[string]any{
		"config.json": {
			"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "hidden_act": "silu",
			"vocab_size": vocabulary, "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
			"num_attention_heads": heads, "num_key_value_heads": kvHeads, "head_dim": headWidth,
			"max_position_embeddings": maxLength, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": nil,
			"tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
			"bos_token_id": nil, "eos_token_id": 0, "torch_dtype": "float32",
		},
		"tokenizer_config.json": {
			"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "pad_token": "<|end|>",
			"model_max_length": maxLength, "clean_up_tokenization_spaces": false, "chat_template": chatTemplate,
		},
		"generation_config.json": {"eos_token_id": 0},
	}
	for name, content := range files {
		data, err := json.MarshalIndent(content, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, name), append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeWeights draws matrices from N(0, 0.02²) and sets norms to 1.
func writeWeights(path string) error {
	var specs []tensorfile.Spec
	add := func(name string, shape ...int) {
		specs = append(specs, tensorfile.Spec{Name: name, DType: dtype.F32, Shape: shape})
	}
	add("model.embed_tokens.weight", vocabulary, hidden)
	for i := range layers {
		layer := fmt.Sprintf("model.layers.%d.", i)
		add(layer+"input_layernorm.weight", hidden)
		add(layer+"self_attn.q_proj.weight", heads*headWidth, hidden)
		add(layer+"self_attn.k_proj.weight", kvHeads*headWidth, hidden)
		add(layer+"self_attn.v_proj.weight", kvHeads*headWidth, hidden)
		add(layer+"self_attn.o_proj.weight", hidden, heads*headWidth)
		add(layer+"post_attention_layernorm.weight", hidden)
		add(layer+"mlp.gate_proj.weight", intermediate, hidden)
		add(layer+"mlp.up_proj.weight", intermediate, hidden)
		add(layer+"mlp.down_proj.weight", hidden, intermediate)
	}
	add("model.norm.weight", hidden)
	w, err := safetensors.Create(path, specs, safetensors.Options{})
	if err != nil {
		return err
	}
	defer w.Close()
	r := rand.New(rand.NewPCG(seed, 3))
	for _, s := range specs {
		n := 1
		for _, d := range s.Shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = 1
			if !strings.Contains(s.Name, "norm") {
				values[i] = float32(0.02 * r.NormFloat64())
			}
		}
		out, err := w.Tensor(s.Name)
		if err != nil {
			return err
		}
		if err := out.WriteFloat32(values); err != nil {
			return err
		}
	}
	return w.Commit()
}
