"""The configurations of the architectures beside Llama and Mistral: of each a tiny
model with what sets it apart, windows shorter than most documents among it. Each has
a case of its own name, which gen_parity.py makes.
"""

from transformers import AutoConfig

SIZES = {
    "vocab_size": 96, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}
WINDOW, FULL = "sliding_attention", "full_attention"

FAMILIES = {
    # A window from the second layer on.
    "qwen2": ("qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    # Heads wider than hidden/heads, a tied head.
    "qwen3": ("qwen3", {"head_dim": 12, "tie_word_embeddings": True}),
}

# The architectures of GGUF files of those that have one.
GGUF = {"qwen2": "qwen2", "qwen3": "qwen3"}


def config(name):
    kind, keys = FAMILIES[name]
    return AutoConfig.for_model(kind, **{**SIZES, **keys})
