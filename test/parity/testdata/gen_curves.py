"""Makes the loss curves that training in 16 bits is held to: tiny random Llamas
trained with LoRA by PEFT on the CPU, in float32 and in 16 bits.

    python testdata/gen_curves.py                # all
    python testdata/gen_curves.py llama-1        # these draws alone

Made with torch 2.15.0, transformers 5.24.0, peft 0.21.2, on an x86-64 CPU with
AVX512_BF16. A CPU that multiplies 16 bits in another way rounds otherwise: its
curves in 16 bits are others, about as far from those in float32.

    models/NAME-TYPE/     the checkpoint in 16 bits that all curves of a type start from
    curves/NAME-N/        draw N of documents, steps and adapter for a model:
        case.json         the draw; "curves": by type, the losses of each step
        start/            PEFT's adapter before the first step, in float32

The curves of a type:

    float32     the checkpoint's values in float32, and all arithmetic too
    plain       the model in the type, the adapter in float32, as PEFT makes it: it
                multiplies by A and B in float32
    autocast    the same model under torch.autocast, as transformers' Trainer runs it
                with bf16=True or fp16=True: it multiplies by A and B in 16 bits

In float16 gradients are scaled, as Trainer scales them. In all of them the loss is
computed from logits in float32, as transformers' own loss is.
"""

import copy
import json
import math
import shutil
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from transformers.utils import logging

import gen_parity as parity
from kit import reference as ref

CURVES = ref.Path(__file__).parent / "curves"
STEPS = 40
DRAWS = 4
TYPES = ["bfloat16", "float16"]

# Grouped heads; and one head of keys and values for all, wider, with a tied head.
MODELS = ["llama", "llama-wide"]

# Where the scale of gradients in float16 begins. Trainer begins at 65536, at which the
# first steps overflow here and are passed over; from this scale on none is.
SCALE = 4096.0


def write_models():
    """The checkpoints in 16 bits that gen_parity.py does not write."""
    for name in MODELS:
        for kind in TYPES:
            if not (parity.HERE / "models" / f"{name}-{kind}").exists():
                parity.save(open_model(name, torch.float32).to(getattr(torch, kind)), f"{name}-{kind}")


def open_model(name, dtype):
    return AutoModelForCausalLM.from_pretrained(parity.HERE / "models" / name, dtype=dtype).eval()


def adapted(base, start, settings):
    """A copy of base with start's adapter, whose parameters are float32 in any case."""
    model = get_peft_model(copy.deepcopy(base), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.0, **settings)).eval()
    values = dict(start.named_parameters())
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.requires_grad:
                assert p.dtype == torch.float32, name
                p.copy_(values[name])
    return model


def curve(model, docs, steps, optimizer, dtype=torch.float32, autocast=False):
    """AdamW over the steps; the mean loss of each."""
    params = [p for p in model.parameters() if p.requires_grad]
    adamw = torch.optim.AdamW(
        params, lr=0.0, betas=(optimizer["beta1"], optimizer["beta2"]), eps=optimizer["epsilon"],
        weight_decay=optimizer["weight_decay"],
    )
    scaler = torch.amp.GradScaler("cpu", init_scale=SCALE, enabled=dtype == torch.float16)
    losses = []
    for step in steps:
        adamw.zero_grad(set_to_none=True)
        losses.append(gradient(model, docs, step, scaler, dtype if autocast else None))
        scaler.unscale_(adamw)
        assert math.isfinite(torch.nn.utils.clip_grad_norm_(params, optimizer["max_grad_norm"])), "a step would be skipped"
        for group in adamw.param_groups:
            group["lr"] = step["rate"]
        scaler.step(adamw)
        scaler.update()
    return losses


def gradient(model, docs, step, scaler, autocast):
    """ref.step_gradient, with what training in 16 bits adds to it."""
    chosen = [docs[i] for batch in step["batches"] for i in batch]
    weight = ref.supervised(chosen)
    total = 0.0
    for ids, _ in chosen:
        if len(ids) < 2:
            continue
        with torch.autocast("cpu", dtype=autocast or torch.bfloat16, enabled=autocast is not None):
            rows = model(input_ids=torch.tensor([ids])).logits[0].float()
        loss = torch.nn.functional.cross_entropy(rows[:-1], torch.tensor(ids[1:]), reduction="sum") / weight
        scaler.scale(loss).backward()
        total += loss.item()
    return total


def make(name, draw):
    """A draw at which rounding in float32 does not decide the run: see gen_parity.make."""
    for attempt in range(50):
        seed = 5000 + 100 * draw + 7 * MODELS.index(name) + 1000 * attempt
        made = attempt_draw(name, seed)
        if made is not None:
            break
    else:
        raise SystemExit(f"{name}-{draw}: rounding decides every run")
    case, start = made
    folder = CURVES / f"{name}-{draw}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ref.save_adapter(start, folder / "start")
    (folder / "case.json").write_text(parity.compact(case))
    for kind, curves in case["curves"].items():
        want = curves["float32"]
        print(f"{name}-{draw} {kind}: loss {want[0]:.3f} to {want[-1]:.3f}; from float32 "
              + ", ".join(f"{k} {distance(v, want):.1e}" for k, v in curves.items() if k != "float32"), flush=True)


def attempt_draw(name, seed):
    """The case, and the adapter that it starts from; None where rounding decides."""
    spec = parity.adapter()
    optimizer = parity.ADAMW
    start, curves = None, {}
    for kind in TYPES:
        dtype = getattr(torch, kind)
        wide, narrow = open_model(f"{name}-{kind}", torch.float32), open_model(f"{name}-{kind}", dtype)
        if start is None:
            start = ref.adapt(wide, seed, **spec["peft"])
            docs = [(ids, 0) for ids in ref.documents(seed, parity.LENGTHS, wide.config.vocab_size)]
            steps = parity.plan(seed, docs, STEPS, 5e-3)
        first = adapted(wide, start, spec["peft"])
        losses, norms, _ = ref.train(copy.deepcopy(first), docs, steps, optimizer)
        noise = ref.noise(first, docs, steps, optimizer, losses, norms)
        if noise["loss"] >= 5e-6:
            return None
        model = adapted(narrow, start, spec["peft"])
        curves[kind] = {
            "float32": losses,
            "plain": curve(copy.deepcopy(model), docs, steps, optimizer, dtype),
            "autocast": curve(copy.deepcopy(model), docs, steps, optimizer, dtype, autocast=True),
        }
    case = {
        "model": name, "max_length": parity.MAX_LENGTH, "adapter": spec["hone"], "optimizer": optimizer,
        "documents": [{"ids": ids, "masked": m} for ids, m in docs], "steps": steps, "curves": curves,
    }
    return case, start


def distance(got, want):
    """The root mean square of the relative differences."""
    return math.sqrt(sum((a / b - 1) ** 2 for a, b in zip(got, want)) / len(want))


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    write_models()
    for name in MODELS:
        for draw in range(1, DRAWS + 1):
            if not sys.argv[1:] or f"{name}-{draw}" in sys.argv[1:]:
                make(name, draw)


if __name__ == "__main__":
    main()
