"""The configurations of the architectures beside Llama and Mistral: of each a tiny
model with what sets it apart, windows shorter than most documents among it. Each has
a case of its own name, which gen_parity.py makes.
"""

from transformers import AutoConfig

SIZES = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}
VISION = {
    "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8, "patch_size": 4,
}
WINDOW, FULL = "sliding_attention", "full_attention"

FAMILIES = {
    # A window from the second layer on.
    "qwen2": ("qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    # Heads wider than hidden/heads, a tied head.
    "qwen3": ("qwen3", {"head_dim": 12, "tie_word_embeddings": True}),
    "gemma": ("gemma", {"head_dim": 12}),
    # Caps that scores and logits reach.
    "gemma2": ("gemma2", {
        "head_dim": 12, "query_pre_attn_scalar": 20, "sliding_window": 5, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0,
    }),
    # Two bases of RoPE, scaling on the layers without a window alone.
    "gemma3": ("gemma3_text", {
        "num_hidden_layers": 3, "head_dim": 12, "query_pre_attn_scalar": 20, "sliding_window": 5, "layer_types": [WINDOW, FULL, WINDOW],
        "rope_parameters": {
            FULL: {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
            WINDOW: {"rope_type": "default", "rope_theta": 10000.0},
        },
    }),
    "phi3": ("phi3", {"sliding_window": 5}),
    # Phi-4-mini: six of a head's eight columns rotate, by longrope.
    "phi4": ("phi3", {
        "tie_word_embeddings": True, "original_max_position_embeddings": 16, "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 16,
            "short_factor": [1.0, 1.1, 1.2], "long_factor": [1.5, 2.0, 3.0],
        },
    }),
    "granite": ("granite", {
        "embedding_multiplier": 4.0, "attention_multiplier": 0.3, "residual_multiplier": 0.4, "logits_scaling": 2.0,
    }),
    # The second of two layers has no positions.
    "smollm3": ("smollm3", {"no_rope_layer_interval": 2}),
    "olmo2": ("olmo2", {}),
    "olmo3": ("olmo3", {
        "sliding_window": 5, "layer_types": [WINDOW, FULL], "rope_parameters": {
            FULL: {"rope_type": "yarn", "factor": 4.0, "rope_theta": 500000.0, "original_max_position_embeddings": 16},
            WINDOW: {"rope_type": "default", "rope_theta": 500000.0},
        },
    }),
    "cohere": ("cohere", {"use_qk_norm": True, "logit_scale": 0.5}),
    # The layer without a window has no positions.
    "cohere2": ("cohere2", {"sliding_window": 5, "layer_types": [WINDOW, FULL], "logit_scale": 0.5}),
    # Half of a head's columns rotate, neighbours in pairs.
    "glm": ("glm", {"head_dim": 8}),
    "glm4": ("glm4", {"head_dim": 8}),
    "exaone4": ("exaone4", {
        "sliding_window": 5, "layer_types": [WINDOW, FULL], "rope_parameters": {
            "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 16,
        },
    }),
    "starcoder2": ("starcoder2", {"sliding_window": 5}),
    # Convolutions before and after attention; two thirds of 48 make the MLP's width.
    "lfm2": ("lfm2", {
        "num_hidden_layers": 3, "layer_types": ["conv", FULL, "conv"], "intermediate_size": 48, "block_multiple_of": 8,
    }),
    "ministral": ("ministral", {"sliding_window": 5, "layer_types": [WINDOW, FULL], "head_dim": 12}),
    # Queries grow with the position, every fourth token.
    "ministral3": ("ministral3", {
        "head_dim": 8, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 16.0, "original_max_position_embeddings": 4, "beta_fast": 32.0,
            "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
        },
    }),
    # Language models in models that read images too: nothing of those is trained.
    "gemma3-images": ("gemma3", {
        "text_config": {"head_dim": 12, "query_pre_attn_scalar": 20, "sliding_window": 5, "layer_types": [WINDOW, FULL]},
        "vision_config": VISION, "mm_tokens_per_image": 4,
    }),
    "mistral3": ("mistral3", {
        "text_config": {"model_type": "ministral3", "head_dim": 8, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 16.0, "original_max_position_embeddings": 4, "beta_fast": 32.0,
            "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.1,
        }},
        "vision_config": {**VISION, "model_type": "pixtral"}, "tie_word_embeddings": False,
    }),
    "qwen3moe": ("qwen3_moe", {
        "head_dim": 12, "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "norm_topk_prob": True,
    }),
    "mixtral": ("mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 20, "sliding_window": 5}),
    # Numbers that gates and ups reach.
    "gpt-oss": ("gpt_oss", {
        "head_dim": 8, "num_local_experts": 5, "num_experts_per_tok": 2, "intermediate_size": 12, "sliding_window": 5,
        "swiglu_limit": 1.5, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 150000.0, "factor": 4.0, "truncate": False, "original_max_position_embeddings": 16,
            "beta_fast": 32.0, "beta_slow": 1.0,
        },
    }),
    # The first of three layers without experts; two of four groups of two experts stand for choice.
    "deepseek": ("deepseek_v3", {
        "num_hidden_layers": 3, "num_key_value_heads": 4, "first_k_dense_replace": 1, "q_lora_rank": 12, "kv_lora_rank": 10,
        "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 7, "n_routed_experts": 8, "num_experts_per_tok": 3, "n_group": 4,
        "topk_group": 2, "moe_intermediate_size": 9, "n_shared_experts": 2, "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 32.0,
            "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0,
        },
    }),
    # Queries that are not compressed, halves that rotate, biases, weights that do not add up to 1.
    "deepseek-plain": ("deepseek_v3", {
        "num_key_value_heads": 4, "first_k_dense_replace": 0, "q_lora_rank": None, "kv_lora_rank": 10, "qk_nope_head_dim": 6,
        "qk_rope_head_dim": 4, "v_head_dim": 7, "n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1,
        "moe_intermediate_size": 9, "n_shared_experts": 1, "rope_interleave": False, "attention_bias": True, "norm_topk_prob": False,
        "tie_word_embeddings": True,
    }),
    # The first of two layers without experts, weights that do not add up to 1.
    "qwen3moe-mixed": ("qwen3_moe", {
        "head_dim": 12, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "norm_topk_prob": False,
        "mlp_only_layers": [0],
    }),
}

# The linears that get an adapter, where these are not all. In models with experts PEFT
# takes a linear of the name gate_proj, up_proj or down_proj for one of the experts'.
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
LATENT = ["kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]
TARGETS = {
    "qwen3moe": ATTENTION, "qwen3moe-mixed": ATTENTION, "mixtral": ATTENTION, "gpt-oss": ATTENTION,
    "deepseek": ["q_a_proj", "q_b_proj", *LATENT], "deepseek-plain": ["q_proj", *LATENT],
}

# The architectures of GGUF files of those that have one.
GGUF = {
    "qwen2": "qwen2", "qwen3": "qwen3", "gemma": "gemma", "gemma2": "gemma2", "gemma3": "gemma3", "phi3": "phi3", "phi4": "phi3",
    "granite": "granite", "smollm3": "smollm3", "olmo2": "olmo2", "olmo3": "olmo2", "cohere2": "cohere2",
    "glm4": "glm4", "exaone4": "exaone4", "starcoder2": "starcoder2", "lfm2": "lfm2", "ministral": "llama", "ministral3": "mistral3",
    "qwen3moe": "qwen3moe", "mixtral": "llama", "gpt-oss": "gpt-oss", "deepseek": "deepseek2",
}


def config(name):
    kind, keys = FAMILIES[name]
    if "text_config" in keys:
        return AutoConfig.for_model(kind, **{**keys, "text_config": {**SIZES, **keys["text_config"]}})
    return AutoConfig.for_model(kind, **{**SIZES, **keys})


def targets(name):
    """What PEFT calls the linears of a language model that is part of a model, whose
    other parts have linears of the same names; None where it is the whole."""
    _, keys = FAMILIES[name]
    if "text_config" not in keys:
        return TARGETS.get(name)
    linears = [f"self_attn.{p}_proj" for p in "qkvo"] + [f"mlp.{p}_proj" for p in ("gate", "up", "down")]
    return [f"model.language_model.layers.{i}.{linear}" for i in range(SIZES["num_hidden_layers"]) for linear in linears]
