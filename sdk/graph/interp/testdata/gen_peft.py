"""Write dora.json or pissa.json: a tiny Llama with PEFT's DoRA, or an adapter of PiSSA's
on the base that PEFT has it on, in training, dropout on.

Logits, loss and the gradient of every parameter. PEFT's own dropout draws by PyTorch's
random numbers; here its modules drop what the counters of package dropout say. Some
magnitudes are zero, others negative. Parameters are not stored: both sides fill them by
the integer formula of gen_torch.py, here what PiSSA's adapters began with too, though
not with a principal part.

    pip install torch transformers peft
    python testdata/gen_peft.py dora > testdata/dora.json
    python testdata/gen_peft.py pissa > testdata/pissa.json
"""

import json
import math
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

DOCUMENTS = [[1, 4, 2, 9, 0, 3, 7], [5], [8, 8, 6, 1]]
WEIGHTS = [[0, 1, 1, 0.5, 0, 1, 2], [0], [0, 1, 0.25, 1]]
SEED, STEP, DROPOUT = 3, 5, 0.4
DORA = sys.argv[1] == "dora"
WORD = 2**64 - 1


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


def key(module):
    g, h = 0x9E3779B97F4A7C15, 0xCBF29CE484222325
    for byte in module.encode():
        h = (h ^ byte) * 0x100000001B3 & WORD
    k = 0
    for z in (SEED, STEP, h):
        k = mix((k + z + g) & WORD)
    return k


def philox(c, k):
    """Philox4x32-10."""
    low, high = k % 2**32, k >> 32
    for _ in range(10):
        p, q = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(q >> 32) ^ c[1] ^ low, q % 2**32, (p >> 32) ^ c[3] ^ high, p % 2**32]
        low, high = (low + 0x9E3779B9) % 2**32, (high + 0xBB67AE85) % 2**32
    return c


class Dropout(torch.nn.Module):
    """Drops of the document at hand what the counters say."""

    sample = 0

    def __init__(self, module):
        super().__init__()
        self.key = key(module)

    def forward(self, x):
        keep = [
            [philox([Dropout.sample, t, i // 4, 0], self.key)[i % 4] >= math.floor(DROPOUT * 2**32 + 0.5) for i in range(x.shape[-1])]
            for t in range(x.shape[-2])
        ]
        return x * torch.tensor(keep) / (1 - DROPOUT)


def fill(name, shape):
    """mean + u/2, u in [−1, 1) from a hash of the name and the index."""
    seed = sum((i + 1) * b for i, b in enumerate(name.encode()))
    mean = 1.0 if "norm" in name else 0.0
    u = [((seed * 40503 + i * 2654435761) % 2**32) / 2**31 - 1 for i in range(math.prod(shape))]
    return torch.tensor([mean + 0.5 * x for x in u], dtype=torch.float64).reshape(shape)


model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=11, hidden_size=8, intermediate_size=10, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=4, rms_norm_eps=1e-5, attention_bias=True, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 16.0}, attn_implementation="eager",
    )
).double()
for layer in model.model.layers:
    layer.self_attn.o_proj.bias = None
model = get_peft_model(
    model, LoraConfig(r=2, lora_alpha=3, use_rslora=True, use_dora=DORA, lora_dropout=DROPOUT, target_modules=["q_proj", "down_proj"])
)
for name, module in model.named_modules():
    if hasattr(module, "lora_dropout"):
        module.lora_dropout["default"] = Dropout(name.removeprefix("base_model.model."))
model.train()
names = {}
for name, p in model.named_parameters():
    plain = name.replace("magnitude_vector.default.weight", "magnitude_vector").replace(".default", "")
    if "lora_" not in plain:
        plain = plain.removeprefix("base_model.model.").replace(".base_layer", "")
    names[plain] = p
    p.data = fill(plain, p.shape)
    if "magnitude" in plain:
        p.data[::3] = 0
    p.requires_grad = True
if not DORA:  # PEFT takes what the adapter began with out of the weights
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            a, b = (fill(f"{name}.lora_{m}.start", getattr(module, f"lora_{m}")["default"].weight.shape) for m in "AB")
            module.base_layer.weight.data -= module.scaling["default"] * b @ a

loss, logits = torch.zeros((), dtype=torch.float64), []
for sample, (ids, weights) in enumerate(zip(DOCUMENTS, WEIGHTS)):
    Dropout.sample = sample
    out = model(input_ids=torch.tensor([ids])).logits[0]
    logits.append(out)
    loss = loss - (torch.tensor(weights[1:]) * out[:-1].log_softmax(-1)[range(len(ids) - 1), ids[1:]]).sum()
loss.backward()


def numbers(t):
    return [float(f"{x:.9g}") for x in t.detach().flatten().tolist()]


gradients = {name: numbers(p.grad) for name, p in names.items()}
print(json.dumps({"loss": loss.item(), "logits": numbers(torch.cat(logits)), "gradients": gradients}))
