"""What scripts that make golden values share: models with random weights, and the
reference arithmetic of transformers, PEFT and torch that hone is held to.

Everything is float32 on one CPU thread. Documents are run one at a time, so
that nothing here knows of packing: that packed documents come to the same is
what the tests show.
"""

import contextlib
import copy
import json
import math
import random
import shutil
import tempfile
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


# How models are loaded that are compared: no other implementation of attention has all
# that some architectures need, and none of experts takes every width and float64.
EAGER = {"attn_implementation": "eager", "experts_implementation": "eager"}


def auto_class(config):
    """The class that loads models of a configuration: others where one reads images."""
    return AutoModelForImageTextToText if "text_config" in config.sub_configs else AutoModelForCausalLM


def fill(model, seed, spread=1.1):
    """Gives every parameter random values at which attention is neither flat nor
    one-hot and the logits have a standard deviation of one or two."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() == 3:  # of experts; gpt-oss has them transposed
                p.copy_(noise * spread / math.sqrt(p.shape[1 if model.config.model_type == "gpt_oss" else 2]))
            elif p.dim() >= 2 and "bias" in name:  # of experts
                p.copy_(0.3 * noise)
            elif p.dim() >= 2 and "norm" not in name:
                p.copy_(noise * (0.3 if "embed" in name else spread / math.sqrt(p[0].numel())))
            elif name.endswith("bias"):
                p.copy_(0.3 * noise)
            elif "gemma" in model.config.model_type:  # norms that multiply by 1 + weight
                p.copy_(0.2 * noise)
            else:  # norms, sinks
                p.copy_(1 + 0.2 * noise)
        for name, b in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                b.copy_(0.2 * torch.randn(b.shape, generator=generator))
    return model.eval()


def documents(seed, lengths, vocabulary):
    """Documents of random ids, of the lengths given."""
    r = random.Random(seed)
    return [[r.randrange(vocabulary) for _ in range(n)] for n in lengths]


def logits(model, docs):
    """The logits of all tokens of all documents, laid end to end."""
    with torch.no_grad():
        return torch.cat([model(input_ids=torch.tensor([d])).logits[0] for d in docs])


def greedy(model, prompt, tokens, margin):
    """The most probable continuation, by model.generate with its cache; None where a
    choice is between two logits closer than margin, so that rounding decides it."""
    g = model.generate(
        input_ids=torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), max_new_tokens=tokens,
        do_sample=False, eos_token_id=None, pad_token_id=0, output_logits=True, return_dict_in_generate=True,
    )
    for step in g.logits:
        best = step[0].topk(2).values
        if best[0] - best[1] < margin:
            return None
    return g.sequences[0, len(prompt):].tolist()


def clear_prompts(models, seed, lengths, vocabulary, tokens, margin):
    """For each length the first random prompt at which every model's greedy choices
    are clear; and the continuations, for each model those of all prompts."""
    prompts, chosen = [], [[] for _ in models]
    for length in lengths:
        for attempt in range(1000):
            [prompt] = documents(seed * 1000 + attempt, [length], vocabulary)
            out = []
            for m in models:
                out.append(greedy(m, prompt, tokens, margin))
                if out[-1] is None:
                    break
            else:
                break
        else:
            raise SystemExit("no prompt whose greedy continuation is clear")
        prompts.append(prompt)
        for c, o in zip(chosen, out):
            c.append(o)
    return prompts, chosen


def random_b(model, seed):
    """Gives the B of every adapter, and its bias, values that are not zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.copy_(0.3 * torch.randn(p.shape, generator=generator))


def adapt(model, seed, **settings):
    """A copy of model with a PEFT adapter whose B is not zero. What PiSSA begins with is
    left as it is, but for the signs of singular vectors, which are free: here the largest
    element of each row of A is positive."""
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lora_bias on a linear without a bias cannot be merged
        adapted = get_peft_model(copy.deepcopy(model), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **settings))
    if settings.get("init_lora_weights") == "pissa":
        with torch.no_grad():
            for module in adapted.modules():
                if hasattr(module, "lora_A"):
                    a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
                    signs = a.gather(1, a.abs().argmax(1, keepdim=True)).sign()
                    a.mul_(signs)
                    b.mul_(signs.T)
    else:
        random_b(adapted, seed)
    return adapted.eval()


def save_adapter(model, folder, start=None):
    """PEFT's own files, without the model card, and in the configuration without the
    path of the base model; targets, which PEFT holds as a set, are sorted. With the
    model as PiSSA had it at the start, they are those of the plain adapter to which PEFT
    converts it."""
    shutil.rmtree(folder, ignore_errors=True)
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as temporary:
        warnings.simplefilter("ignore")  # it takes the vectors of lora_bias for incomplete matrices
        if start is None:
            model.save_pretrained(folder)
        else:
            start, model = copy.deepcopy(start), copy.deepcopy(model)  # saving doubles their ranks
            start.peft_config["default"].init_lora_weights = True
            start.save_pretrained(f"{temporary}/initial")
            model.save_pretrained(folder, path_initial_model_for_weight_conversion=f"{temporary}/initial")
    with contextlib.suppress(FileNotFoundError):
        (Path(folder) / "README.md").unlink()
    path = Path(folder) / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = "tiny"
    config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2) + "\n")


def saved_name(name):
    """The key under which PEFT, or a plain checkpoint, saves a parameter."""
    name = name.replace("magnitude_vector.default.weight", "magnitude_vector")
    return name.replace(".modules_to_save.default", "").replace(".default", "")


def supervised(docs):
    """The number of predictions that documents (ids, masked) are learnt from."""
    return sum(max(0, len(ids) - max(1, masked)) for ids, masked in docs)


def step_gradient(model, docs, step):
    """Leaves the gradient of the mean loss over the step's supervised tokens in the
    parameters, and returns that mean. docs holds (ids, masked): the predictions
    of the first masked tokens, and of a document's first, do not count."""
    model.zero_grad(set_to_none=True)
    chosen = [docs[i] for batch in step["batches"] for i in batch]
    weight = supervised(chosen)
    total = 0.0
    for ids, masked in chosen:
        first = max(1, masked)
        if first >= len(ids):
            continue
        rows = model(input_ids=torch.tensor([ids])).logits[0]
        loss = torch.nn.functional.cross_entropy(rows[first - 1:-1], torch.tensor(ids[first:]), reduction="sum") / weight
        loss.backward()
        total += loss.item()
    return total


def train(model, docs, steps, optimizer):
    """AdamW over the steps. Returns losses, gradient norms before clipping, and the
    first step's gradients by saved name."""
    trainable = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    params = [p for _, p in trainable]
    adamw = torch.optim.AdamW(
        params, lr=0.0, betas=(optimizer["beta1"], optimizer["beta2"]), eps=optimizer["epsilon"],
        weight_decay=optimizer["weight_decay"],
    )
    losses, norms, first = [], [], None
    for step in steps:
        losses.append(step_gradient(model, docs, step))
        if first is None:
            first = {saved_name(n): p.grad.detach().clone() for n, p in trainable}
        limit = optimizer["max_grad_norm"] or math.inf
        norms.append(torch.nn.utils.clip_grad_norm_(params, limit).item())
        for group in adamw.param_groups:
            group["lr"] = step["rate"]
        adamw.step()
    return losses, norms, first


def noise(model, docs, steps, optimizer, losses, norms):
    """How far a run in float64 (norms and angles excepted, which transformers
    computes in float32) departs from one in float32, relatively: what the
    arithmetic of any other program may differ by too."""
    wide_losses, wide_norms, _ = train(copy.deepcopy(model).double(), docs, steps, optimizer)

    def largest(got, want):
        return max(abs(a - b) / abs(b) for a, b in zip(got, want))

    return {"loss": largest(losses, wide_losses), "grad_norm": largest(norms, wide_norms)}


def fix_length(model, max_length):
    """Fixes the frequencies of dynamic RoPE and of longrope at those of a document of
    max_length: transformers chooses them anew for each document, hone once a run."""
    decoder = getattr(model.base_model, "language_model", model.base_model)
    rotary = getattr(decoder, "rotary_emb", None)
    if rotary is not None and str(rotary.rope_type) in ("dynamic", "longrope"):
        from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

        inv_freq, _ = ROPE_INIT_FUNCTIONS[rotary.rope_type](model.config, "cpu", seq_len=max_length)
        rotary.inv_freq = inv_freq
        rotary.rope_type = "default"  # no update by length


def save_tensors(path, tensors):
    save_file({k: v.detach().contiguous().clone() for k, v in tensors.items()}, str(path))

