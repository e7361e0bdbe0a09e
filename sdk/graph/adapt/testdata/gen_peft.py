"""Write peft.json: what PEFT adapts and trains in a tiny Llama, for some configurations.

Names of the model's own parameters are those of the checkpoint; names of the
adapter's are the keys of PEFT's adapter_model.safetensors.

    pip install torch transformers peft
    python testdata/gen_peft.py > testdata/peft.json
"""

import json

from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

CONFIGURATIONS = [
    {"targets": "all-linear"},
    {"targets": ["q_proj", "v_proj"]},
    {"targets": ["q_proj"], "lora_bias": True, "r": 3},
    {"targets": ["self_attn.o_proj", "lm_head"]},
    {"targets": ["model.layers.1.mlp.up_proj"]},
    {"targets": ["1.mlp.up_proj", "0.self_attn.k_proj"]},
    {"targets": ["k_proj", "down_proj"], "bias": "lora_only"},
    {"targets": ["k_proj", "down_proj"], "bias": "all"},
    {"targets": ["down_proj"], "bias": "none"},
    {"targets": ["q_proj", "down_proj"], "bias": "lora_only", "dora": True},
]


def model():
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=16, hidden_size=8, intermediate_size=12, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, attention_bias=True, tie_word_embeddings=False,
        )
    )


out = []
for c in CONFIGURATIONS:
    config = LoraConfig(
        r=c.get("r", 2), target_modules=c["targets"], bias=c.get("bias", "none"), lora_bias=c.get("lora_bias", False),
        use_dora=c.get("dora", False),
    )
    adapter, own = {}, []
    for name, p in get_peft_model(model(), config).named_parameters():
        if "lora_" in name:
            name = name.replace("magnitude_vector.default.weight", "magnitude_vector")
            adapter[name.replace(".default", "")] = list(p.shape)
        elif p.requires_grad:
            own.append(name.removeprefix("base_model.model.").replace(".base_layer", ""))
    out.append({**c, "adapter": dict(sorted(adapter.items())), "own": sorted(own)})
print(json.dumps(out, indent=1))
