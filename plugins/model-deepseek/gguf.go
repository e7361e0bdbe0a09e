package main

import (
	"context"
	"fmt"

	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/model/ggufmap"
)

// ggufArchitecture is what llama.cpp calls DeepSeek V2 and V3.
const ggufArchitecture = "deepseek2"

// sigmoid is the number of that function in the key expert_gating_func.
const sigmoid = 2

// names are the tensors of a file, but for those that a checkpoint's kv_b_proj becomes.
func (s settings) names() ggufmap.Map {
	names := ggufmap.Llama(ggufArchitecture, s.Layers, 0, 0).With(s.mixture.Pairs("mlp.gate", experts)...)
	return names.With(
		ggufmap.Pair{Checkpoint: "self_attn.q_a_proj", GGUF: "attn_q_a"},
		ggufmap.Pair{Checkpoint: "self_attn.q_a_layernorm", GGUF: "attn_q_a_norm"},
		ggufmap.Pair{Checkpoint: "self_attn.q_b_proj", GGUF: "attn_q_b"},
		ggufmap.Pair{Checkpoint: "self_attn.kv_a_proj_with_mqa", GGUF: "attn_kv_a_mqa"},
		ggufmap.Pair{Checkpoint: "self_attn.kv_a_layernorm", GGUF: "attn_kv_a_norm"},
		ggufmap.Pair{Checkpoint: "mlp.gate.e_score_correction_bias", GGUF: "exp_probs_b.bias", Whole: true},
		ggufmap.Pair{Checkpoint: "mlp.shared_experts.gate_proj", GGUF: "ffn_gate_shexp"},
		ggufmap.Pair{Checkpoint: "mlp.shared_experts.up_proj", GGUF: "ffn_up_shexp"},
		ggufmap.Pair{Checkpoint: "mlp.shared_experts.down_proj", GGUF: "ffn_down_shexp"},
	)
}

// FromGGUF makes a configuration of a file's key-values.
func (deepseek) FromGGUF(_ context.Context, req *model.FromGGUFRequest) (*model.FromGGUFResponse, error) {
	r := ggufmap.NewReader(req.Metadata)
	config := r.Dimensions(req.Tensors)
	config["num_key_value_heads"] = config["num_attention_heads"] // the file's are those of the compressed keys
	config["num_hidden_layers"] = r.Need("block_count") - r.Int("nextn_predict_layers", 0)
	config["first_k_dense_replace"] = r.Int("leading_dense_block_count", 0)
	readLatent(r, config)
	readExperts(r, config)
	_, config["attention_bias"] = req.Tensors["blk.0.attn_kv_a_mqa.bias"]
	if scaling := r.Scaling(req.RopeFactors); scaling != nil {
		if scaling["rope_type"] == "yarn" {
			// llama.cpp takes a factor on the scores, and none on cosines and sines.
			m := 10 * r.Float("rope.scaling.yarn_log_multiplier", 0)
			scaling["attention_factor"], scaling["mscale"], scaling["mscale_all_dim"] = 1, m, m
		}
		config["rope_scaling"] = scaling
	}
	data, err := r.Configuration(config, architecture, "deepseek_v3")
	if err != nil {
		return nil, err
	}
	if r.Int("expert_gating_func", 0) != sigmoid {
		return nil, fault.New(fault.Unsupported, "gguf: %s.expert_gating_func: experts are not chosen by sigmoids, as those of DeepSeek V3 are: the file holds another model, such as DeepSeek V2", ggufArchitecture)
	}
	s, err := read(data)
	if err != nil {
		return nil, err
	}
	tensors := s.names().FromGGUF(req.Tensors)
	for i := range s.Layers {
		block := fmt.Sprintf("blk.%d.", i)
		kv := graph.FromTensor(block + "attn_kv_b.weight") // older files
		if _, ok := req.Tensors[block+"attn_k_b.weight"]; ok {
			keys, values := graph.FromTensor(block+"attn_k_b.weight").Permute(0, 2, 1), graph.FromTensor(block+"attn_v_b.weight")
			kv = graph.ConcatSources(1, keys, values).Reshape(s.Heads*(s.plain+s.value), s.rank)
		}
		tensors[fmt.Sprintf("model.layers.%d.self_attn.kv_b_proj.weight", i)] = kv
	}
	return &model.FromGGUFResponse{Configuration: data, Tensors: tensors}, nil
}

func readLatent(r *ggufmap.Reader, config map[string]any) {
	delete(config, "head_dim")
	config["kv_lora_rank"] = r.Need("attention.kv_lora_rank")
	config["q_lora_rank"] = nil
	if r.Has("attention.q_lora_rank") {
		config["q_lora_rank"] = r.Need("attention.q_lora_rank")
	}
	key, value := "attention.key_length_mla", "attention.value_length_mla"
	if !r.Has(key) { // older files
		key, value = "attention.key_length", "attention.value_length"
	}
	rotated := r.Need("rope.dimension_count")
	config["qk_rope_head_dim"], config["qk_nope_head_dim"], config["v_head_dim"] = rotated, r.Need(key)-rotated, r.Need(value)
}

func readExperts(r *ggufmap.Reader, config map[string]any) {
	config["n_routed_experts"], config["num_experts_per_tok"] = r.Need("expert_count"), r.Need("expert_used_count")
	config["moe_intermediate_size"] = r.Need("expert_feed_forward_length")
	config["n_shared_experts"] = r.Int("expert_shared_count", 0)
	config["n_group"], config["topk_group"] = r.Int("expert_group_count", 1), r.Int("expert_group_used_count", 1)
	config["routed_scaling_factor"] = r.Float("expert_weights_scale", 1)
	config["norm_topk_prob"] = r.Bool("expert_weights_norm", false)
}

// ToGGUF is the reverse. A file's keys are those of attention among the compressed
// vectors, one head of keys for all heads of queries.
func (deepseek) ToGGUF(_ context.Context, req *model.ToGGUFRequest) (*model.ToGGUFResponse, error) {
	s, err := read(req.Configuration)
	if err != nil {
		return nil, err
	}
	if !s.interleaved {
		return nil, fault.New(fault.Unsupported, "rope_interleave: a GGUF file of this architecture cannot say that the halves of a head rotate, not its neighbours: it would be read so")
	}
	keys, err := s.GGUFKeys(s.rope, "silu")
	if err != nil {
		return nil, err
	}
	s.writeKeys(keys)
	factors, err := s.rope.GGUFScores(keys)
	if err != nil {
		return nil, err
	}
	out := s.AnswerGGUF(req, s.names(), keys, factors)
	for _, name := range req.Tensors {
		out.Tensors = append(out.Tensors, s.pack(name)...)
	}
	return out, nil
}

func (s settings) writeKeys(keys map[string]any) {
	for key, n := range map[string]int{
		"attention.head_count_kv": 1, "attention.kv_lora_rank": s.rank,
		"attention.key_length": s.rank + s.rotated, "attention.value_length": s.rank,
		"attention.key_length_mla": s.plain + s.rotated, "attention.value_length_mla": s.value,
		"leading_dense_block_count": s.dense, "expert_feed_forward_length": s.mixture.Width, "expert_shared_count": s.shared,
		"expert_group_count": s.groups, "expert_group_used_count": s.keep, "expert_gating_func": sigmoid,
	} {
		keys[key] = uint32(n)
	}
	if s.queryRank > 0 {
		keys["attention.q_lora_rank"] = uint32(s.queryRank)
	}
	s.mixture.GGUFKeys(keys)
	keys["expert_weights_scale"], keys["expert_weights_norm"] = float32(s.factor), s.normalise
}

// pack is what a file holds of a layer's kv_b_proj: keys, transposed, and values apart;
// nothing of other tensors.
func (s settings) pack(name string) []model.GGUFTensor {
	var layer int
	var tensor string
	if n, err := fmt.Sscanf(name, "model.layers.%d.self_attn.%s", &layer, &tensor); n != 2 || err != nil || tensor != "kv_b_proj.weight" || layer < 0 || layer >= s.Layers {
		return nil
	}
	both := graph.FromTensor(name).Reshape(s.Heads, s.plain+s.value, s.rank)
	return []model.GGUFTensor{
		{Name: fmt.Sprintf("blk.%d.attn_k_b.weight", layer), Source: both.Slice(1, 0, s.plain, 1).Permute(0, 2, 1)},
		{Name: fmt.Sprintf("blk.%d.attn_v_b.weight", layer), Source: both.Slice(1, s.plain, s.plain+s.value, 1)},
	}
}
