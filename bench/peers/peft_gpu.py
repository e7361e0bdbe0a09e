"""Trains a model's shape with PEFT, as hone bench train does, and prints one JSON line.

    python bench/peers/peft_gpu.py bench/shapes/llama-3.2-1b.json [--tokens 8192]
        [--length 2048] [--checkpointing] [--compile]

Weights are drawn from N(0, 0.02), LoRA goes onto every linear but the head, tokens
are random and each step's own, every one of them but a document's first is learned:
the work of hone bench train with the same settings. Weights are bfloat16 and adapters
float32, under autocast; attention is PyTorch's. Needs torch, transformers, peft.
"""
import argparse
import json
import time
import traceback

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM
from transformers.models.auto.configuration_auto import CONFIG_MAPPING


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("config", help="a config.json")
    p.add_argument("--tokens", type=int, default=8192, help="of a step")
    p.add_argument("--length", type=int, default=2048, help="of a document, in tokens")
    p.add_argument("--micro-batch", type=int, default=0, help="tokens computed at once; 0: all of a step")
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--dropout", type=float, default=0.0)
    p.add_argument("--steps", type=int, default=10, help="that are measured")
    p.add_argument("--warmup", type=int, default=3)
    p.add_argument("--checkpointing", action="store_true", help="compute each layer again in the backward pass")
    p.add_argument("--compile", action="store_true", help="torch.compile")
    p.add_argument("--device", default="cuda")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    a.micro_batch = a.micro_batch or a.tokens
    if a.tokens % a.micro_batch or a.micro_batch % a.length:
        p.error("the tokens of a step are whole micro-batches, and these whole documents")
    return a


def build(a):
    """The model with adapters, on the device."""
    with open(a.config) as f:
        values = json.load(f)
    config = CONFIG_MAPPING[values.pop("model_type")](**values)
    config.use_cache = False
    with torch.device(a.device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation="sdpa")
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.02)
    parameters = model.num_parameters()
    lora = LoraConfig(r=a.rank, lora_alpha=a.rank, lora_dropout=a.dropout, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    model.train()
    if a.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.enable_input_require_grads()
    return model, parameters, config.vocab_size


def train(a, synchronize):
    """Times the steps; gives what is known of them."""
    model, parameters, vocabulary = build(a)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=2e-4, weight_decay=0.0, fused=a.device == "cuda")
    forward = torch.compile(model) if a.compile else model
    batches = a.tokens // a.micro_batch
    seconds, numbers = [], []
    for _ in range(a.warmup + a.steps):
        synchronize()
        begun = time.perf_counter()
        total = 0.0
        for _ in range(batches):
            ids = torch.randint(0, vocabulary, (a.micro_batch // a.length, a.length), device=a.device)
            with torch.autocast(a.device, dtype=torch.bfloat16):
                loss = forward(input_ids=ids, labels=ids).loss / batches
            loss.backward()
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        synchronize()
        seconds.append(time.perf_counter() - begun)
        numbers.append({"loss": float(total), "grad_norm": float(norm)})
    measured = sorted(seconds[a.warmup:])
    middle = (measured[(a.steps - 1) // 2] + measured[a.steps // 2]) / 2
    return {
        "parameters": parameters, "trained": sum(p.numel() for p in trained),
        "tokens_per_second": a.tokens / middle, "tokens_per_second_slowest": a.tokens / measured[-1],
        "tokens_per_second_fastest": a.tokens / measured[0], "step_seconds": middle, "first_step_seconds": seconds[0],
        "first": numbers[0], "last": numbers[-1],
    }


def main():
    a = arguments()
    torch.manual_seed(a.seed)
    cuda = a.device == "cuda"
    ways = [way for way, on in (("checkpointing", a.checkpointing), ("compiled", a.compile)) if on]
    result = {
        "program": " ".join(["peft"] + ways), "model": a.config.rsplit("/", 1)[-1].removesuffix(".json"),
        "device": torch.cuda.get_device_name() if cuda else "CPU", "precision": "bf16",
        "tokens": a.tokens, "length": str(a.length), "micro_batch_tokens": a.micro_batch, "steps": a.steps, "warmup": a.warmup,
    }
    begun = time.perf_counter()
    try:
        result |= train(a, torch.cuda.synchronize if cuda else lambda: None)
    except torch.cuda.OutOfMemoryError:
        result["error"] = "out of memory"
    except Exception as e:  # the others' figures stand all the same
        traceback.print_exc()
        result["error"] = type(e).__name__
    result["seconds"] = time.perf_counter() - begun
    if cuda:
        result["peak_bytes"] = torch.cuda.max_memory_allocated()
        result["reserved_bytes"] = torch.cuda.max_memory_reserved()
    print(json.dumps(result), flush=True)


main()
