"""Write experts.json: a tiny Mixtral with PEFT's LoRA on its experts, by transformers.

Logits, loss and the gradients of the adapter and of the routers. Parameters are not
stored: both sides fill them by the integer formula of gen_torch.py.

    pip install torch transformers peft
    python testdata/gen_experts.py > testdata/experts.json
"""

import json
import math

import torch
from peft import LoraConfig, get_peft_model
from transformers import MixtralConfig, MixtralForCausalLM

DOCUMENTS = [[1, 4, 2, 9, 0, 3, 7], [5], [8, 8, 6, 1]]
WEIGHTS = [[0, 1, 1, 0.5, 0, 1, 2], [0], [0, 1, 0.25, 1]]


def fill(name, shape):
    """mean + u/2, u in [−1, 1) from a hash of the name and the index."""
    seed = sum((i + 1) * b for i, b in enumerate(name.encode()))
    mean = 1.0 if "norm" in name else 0.0
    u = [((seed * 40503 + i * 2654435761) % 2**32) / 2**31 - 1 for i in range(math.prod(shape))]
    return torch.tensor([mean + 0.5 * x for x in u], dtype=torch.float64).reshape(shape)


model = MixtralForCausalLM(
    MixtralConfig(
        vocab_size=11, hidden_size=6, intermediate_size=5, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        head_dim=4, num_local_experts=4, num_experts_per_tok=2, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 16.0}, attn_implementation="eager", experts_implementation="eager",
    )
).double()
model = get_peft_model(
    model,
    LoraConfig(r=2, lora_alpha=3, target_modules=["q_proj"], target_parameters=["experts.gate_up_proj", "experts.down_proj"]),
)
names = {}
for name, p in model.named_parameters():
    plain = name.replace(".default", "")
    if "lora_" not in plain:
        plain = plain.removeprefix("base_model.model.").replace(".base_layer", "")
    names[plain] = p
    p.data = fill(plain, p.shape)
    p.requires_grad = "lora_" in plain or "mlp.gate." in plain

loss, logits = torch.zeros((), dtype=torch.float64), []
for ids, weights in zip(DOCUMENTS, WEIGHTS):
    out = model(input_ids=torch.tensor([ids])).logits[0]
    logits.append(out)
    loss = loss - (torch.tensor(weights[1:]) * out[:-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]).sum()
loss.backward()


def numbers(t):
    return [float(f"{x:.9g}") for x in t.detach().flatten().tolist()]


gradients = {name: numbers(p.grad) for name, p in names.items() if p.grad is not None}
print(json.dumps({"loss": loss.item(), "logits": numbers(torch.cat(logits)), "gradients": gradients}))
