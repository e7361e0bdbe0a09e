"""Makes the models and golden values of the parity tests: tiny random Llamas, a
Mistral and one of each of the architectures of families.py, run and trained by
transformers, PEFT and torch.optim.AdamW.

    python testdata/gen_parity.py              # all
    python testdata/gen_parity.py llama yarn   # these cases alone, and their models

Made with torch 2.15.0, transformers 5.24.0, peft 0.21.2, safetensors 0.8.0. The
results are the same to the bit wherever these run on one thread of an x86-64 CPU.

    models/NAME/     a checkpoint as save_pretrained writes it
    cases/NAME/      what is compared:
        case.json            adapter, optimizer, documents, steps; losses, gradient norms, greedy tokens
        golden.safetensors   logits of the probes, gradients of the first step, trained parameters
        config.json          where the case differs from its model's in RoPE; config_old.json: the
                             same in the form before transformers 5
        start/, trained/     PEFT's adapters before the first step and after the last
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM, MistralConfig
from transformers.utils import logging

import families
from kit import compact, plan, reference as ref

HERE = Path(__file__).parent
MAX_LENGTH = 32  # of a run: longer than every document, and the prompts with what follows them
LENGTHS = [24, 3, 9, 16, 1, 12, 7, 2, 19, 5, 11, 14]
PROBES = [24, 1, 13, 6]
PROMPTS = [1, 4, 9]
ADAMW = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weight_decay": 0.01, "max_grad_norm": 1.0}

MODELS = {
    "llama": LlamaConfig(
        vocab_size=128, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64,
    ),
    # Heads wider than hidden/heads, one key and value head for all, a tied head.
    "llama-wide": LlamaConfig(
        vocab_size=128, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1,
        head_dim=16, max_position_embeddings=64, tie_word_embeddings=True,
    ),
    # Biases everywhere, as many key heads as query heads, another activation and epsilon.
    "llama-bias": LlamaConfig(
        vocab_size=100, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=64, attention_bias=True, mlp_bias=True, hidden_act="gelu", rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
    ),
    # A window of 5, shorter than most documents.
    "mistral": MistralConfig(
        vocab_size=120, hidden_size=40, intermediate_size=56, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        head_dim=12, max_position_embeddings=64, sliding_window=5,
    ),
}

# The settings of RoPE that differ from the model's, by case; the model is llama-wide.
ROPE = {
    "linear": ({"rope_type": "linear", "factor": 4.0}, 256),
    "dynamic": ({"rope_type": "dynamic", "factor": 4.0}, 16),
    "yarn": ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}, 256),
    "llama3": (
        {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
         "original_max_position_embeddings": 64}, 512),
}

def adapter(rank=4, alpha=8, targets=None, peft_targets=None, **more):
    """An adapter in hone's terms and, under "peft", in PEFT's."""
    hone = {"rank": rank, "alpha": alpha, "targets": targets or ["auto"]}
    peft = {"r": rank, "lora_alpha": alpha, "target_modules": peft_targets or targets or "all-linear"}
    for key, name in {"rslora": "use_rslora", "bias": "bias", "lora_bias": "lora_bias", "dora": "use_dora", "init": "init_lora_weights", "layers": "layers_to_transform"}.items():
        if key in more:
            hone[key] = peft[name] = more[key]
    peft |= more.get("peft", {})
    hone |= more.get("hone", {})
    return {"hone": hone, "peft": peft}


# What is trained, by case. "logits" asks for the bare model's logits too.
CASES = {
    "llama": {"model": "llama", "adapter": adapter(), "logits": True},
    "linear": {"model": "llama-wide", "adapter": adapter(), "logits": True},
    "dynamic": {"model": "llama-wide", "adapter": adapter(), "logits": True},
    "yarn": {"model": "llama-wide", "adapter": adapter(), "logits": True},
    "llama3": {"model": "llama-wide", "adapter": adapter(), "logits": True},
    "bias": {"model": "llama-bias", "adapter": adapter(rank=3), "logits": True},
    "mistral": {"model": "mistral", "adapter": adapter(), "logits": True},
    "bfloat16": {"model": "llama-bfloat16", "adapter": adapter(), "logits": True},
    "float16": {"model": "llama-float16", "adapter": adapter(), "logits": True},
    "rslora": {"model": "llama", "adapter": adapter(alpha=6, rslora=True)},
    "targets": {"model": "llama", "adapter": adapter(targets=["q_proj", "layers.1.mlp.down_proj"])},
    "bias-all": {"model": "llama-bias", "adapter": adapter(bias="all")},
    "bias-lora-only": {
        "model": "llama-bias",
        "adapter": adapter(bias="lora_only", targets=["attn.*"], peft_targets=["q_proj", "k_proj", "v_proj", "o_proj"]),
    },
    "lora-bias": {"model": "llama-bias", "adapter": adapter(lora_bias=True)},
    # Ranks and alphas that differ; whole modules beside the adapter. "norm" alone
    # would be every norm to PEFT.
    "patterns": {
        "model": "llama", "adapter": adapter(
            hone={"exclude": ["layers.1.mlp.up_proj", "attn.k"], "ranks": {"mlp.*": 2, "1.mlp.gate_proj": 7, "o_proj": 3},
                  "alphas": {"attn.*": 3, "0.self_attn.o_proj": 5}, "also_train": ["lm_head", "model.norm"]},
            peft={"exclude_modules": ["layers.1.mlp.up_proj", "k_proj"],
                  "rank_pattern": {"layers.1.mlp.gate_proj": 7, "mlp.*": 2, "o_proj": 3},
                  "alpha_pattern": {"layers.0.self_attn.o_proj": 5, "self_attn.*": 3}, "modules_to_save": ["lm_head", "model.norm"]}),
    },
    # One layer; embedding and head, which share their weights, are trained as one.
    "layers": {
        "model": "llama-wide", "adapter": adapter(
            targets=["q_proj", "down_proj"], layers=[1], hone={"also_train": ["embed"]},
            peft={"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}),
    },
    "decay": {
        "model": "llama", "adapter": adapter(),
        "optimizer": {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6, "weight_decay": 0.1, "max_grad_norm": 0.0},
    },
    # Most steps' gradients are clipped at 1; at 3, some are.
    "masked": {"model": "llama", "adapter": adapter(), "masked": True, "optimizer": ADAMW | {"max_grad_norm": 3.0}},
    "full": {"model": "llama", "steps": 20},
    "full-tied": {"model": "llama-wide", "steps": 20},
}


CASES |= {
    name: {
        "model": name, "adapter": adapter(targets=families.TARGETS.get(name), peft_targets=families.targets(name)), "logits": True,
        "steps": 20,
    }
    for name in families.FAMILIES
}

# The seeds of the cases above follow from their places; those that came later have their
# own, so that these stay.
CASES |= {
    "dora": {"model": "llama-bias", "adapter": adapter(dora=True, targets=["q_proj", "o_proj", "up_proj"]), "seed": 115},
    "dora-patterns": {
        "model": "llama-bias", "seed": 201, "adapter": adapter(
            alpha=6, dora=True, rslora=True, bias="lora_only",
            hone={"ranks": {"mlp.*": 2, "o_proj": 3}, "alphas": {"attn.*": 3}},
            peft={"rank_pattern": {"mlp.*": 2, "o_proj": 3}, "alpha_pattern": {"self_attn.*": 3}}),
    },
    # PEFT converts what they come to to plain adapters, of rsLoRA with patterns it cannot.
    "pissa": {"model": "llama", "adapter": adapter(init="pissa"), "logits": True, "seed": 301, "steps": 20},
    "pissa-rslora": {
        "model": "llama-bias", "seed": 302, "steps": 20,
        "adapter": adapter(rank=3, alpha=5, rslora=True, init="pissa", targets=["q_proj", "o_proj", "up_proj"]),
    },
    "pissa-patterns": {
        "model": "llama", "seed": 303, "steps": 20, "adapter": adapter(
            alpha=6, init="pissa", hone={"ranks": {"mlp.*": 2, "o_proj": 3}, "alphas": {"attn.*": 3}},
            peft={"rank_pattern": {"mlp.*": 2, "o_proj": 3}, "alpha_pattern": {"self_attn.*": 3}}),
    },
}


def write_models(wanted):
    needed = {CASES[c]["model"] for c in wanted}
    if needed & {"llama-bfloat16", "llama-float16"}:
        needed.add("llama")
    for i, name in enumerate([*MODELS, *families.FAMILIES]):
        if name not in needed:
            continue
        config = MODELS[name] if name in MODELS else families.config(name)
        model = ref.fill(ref.auto_class(config).from_config(config, dtype=torch.float32), seed=i + 1)
        # Mistral in shards, with an index.
        save(model, name, max_shard_size="60KB" if name == "mistral" else "5GB")
        if name == "llama":
            for dtype in ("bfloat16", "float16"):
                save(copy.deepcopy(model).to(getattr(torch, dtype)), f"llama-{dtype}")


def save(model, name, **options):
    folder = HERE / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **options)
    (folder / "generation_config.json").unlink(missing_ok=True)


def open_model(case, spec):
    """The case's model in float32, its configuration written where it is its own."""
    folder = HERE / "models" / spec["model"]
    config = AutoConfig.from_pretrained(folder)
    if case in ROPE:
        scaling, length = ROPE[case]
        config.rope_parameters = {"rope_theta": 10000.0, **scaling}
        config.max_position_embeddings = length
        config.save_pretrained(HERE / "cases" / case)
        write_old(case, scaling)
    # Eager attention alone has all that the families need.
    options = ref.EAGER if case in families.FAMILIES else {}
    model = ref.auto_class(config).from_pretrained(folder, config=config, dtype=torch.float32, **options).eval()
    ref.fix_length(model, MAX_LENGTH)
    if case in ROPE:
        plain = ref.auto_class(config).from_pretrained(folder, dtype=torch.float32).eval()
        probes = ref.documents(7, PROBES, 100)
        a, b = ref.logits(model, probes), ref.logits(plain, probes)
        assert (a - b).norm() > 0.05 * b.norm(), f"{case}: the scaling makes no difference"
    return model


def write_old(case, scaling):
    """The configuration in the form before transformers 5, and that it means the same."""
    folder = HERE / "cases" / case
    new = json.loads((folder / "config.json").read_text())
    old = {k: v for k, v in new.items() if k not in ("rope_parameters", "dtype")}
    scaling = dict(scaling)
    if case == "linear":  # the oldest have "type"
        scaling["type"] = scaling.pop("rope_type")
    old |= {"rope_theta": 10000.0, "rope_scaling": scaling, "torch_dtype": "float32", "transformers_version": "4.45.0"}
    (folder / "config_old.json").write_text(json.dumps(old, indent=2) + "\n")
    ours = LlamaForCausalLM(LlamaConfig(**old)).model.rotary_emb
    theirs = LlamaForCausalLM(AutoConfig.from_pretrained(folder)).model.rotary_emb
    assert torch.equal(ours.inv_freq, theirs.inv_freq) and ours.attention_scaling == theirs.attention_scaling, case


def make(case, spec, seed):
    folder = HERE / "cases" / case
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    base = open_model(case, spec)
    # Adam moves an element whose gradient is zero but for rounding by a whole
    # learning rate, up or down by chance. Draws where that decides the run are
    # passed over: they would compare nothing.
    for attempt in range(50):
        run = Run(spec, base, seed + 1000 * attempt)
        if run.noise["loss"] < 5e-6 and run.noise["grad_norm"] < 5e-5:
            break
    else:
        raise SystemExit(f"{case}: rounding decides every run")
    run.check(case)
    run.write(folder)
    print(f"{case:16} loss {run.losses[0]:.3f} to {run.losses[-1]:.3f}, gradient norm {min(run.norms):.2f} to "
          f"{max(run.norms):.2f}, float32's own noise {run.noise['loss']:.1e} {run.noise['grad_norm']:.1e}")


class Run:
    """A case's documents and steps, and the training."""

    def __init__(self, spec, base, seed):
        self.spec, self.base, self.seed = spec, base, seed
        self.vocabulary = base.config.get_text_config().vocab_size
        self.optimizer = spec.get("optimizer", ADAMW)
        self.full = "adapter" not in spec
        ids = ref.documents(seed, LENGTHS, self.vocabulary)
        # Masked prompts: of some documents none, of others most or all.
        masked = [(i * 5) % 11 if spec.get("masked") else 0 for i in range(len(ids))]
        self.docs = list(zip(ids, masked))
        self.steps = plan(seed, self.docs, spec.get("steps", 40), 2e-3 if self.full else 5e-3)
        if self.full:
            self.start = copy.deepcopy(base).requires_grad_(True)
        else:
            self.start = ref.adapt(base, seed, **spec["adapter"]["peft"])
        self.model = copy.deepcopy(self.start)
        self.losses, self.norms, self.first = ref.train(self.model, self.docs, self.steps, self.optimizer)
        self.noise = ref.noise(self.start, self.docs, self.steps, self.optimizer, self.losses, self.norms)

    def check(self, case):
        """What would make the case a weaker test than it looks."""
        limit = self.optimizer["max_grad_norm"]
        assert self.losses[-1] < self.losses[0], case
        assert not limit or max(self.norms) > limit, f"{case}: nothing is clipped"
        assert "optimizer" not in self.spec or not limit or min(self.norms) < limit, f"{case}: everything is clipped"

    def write(self, folder):
        probes = ref.documents(self.seed + 50, PROBES, self.vocabulary)
        golden = {f"gradient/{k}": v for k, v in self.first.items()}
        golden["logits/trained"] = ref.logits(self.model, probes)
        if self.spec.get("logits"):
            golden["logits/base"] = ref.logits(self.base, probes)
        if self.full:
            golden |= {f"trained/{n}": p for n, p in self.model.named_parameters()}
        else:
            golden["logits/start"] = ref.logits(self.start, probes)
            initial = self.start if self.spec["adapter"]["peft"].get("init_lora_weights") else None
            ref.save_adapter(self.start, folder / "start", initial)
            ref.save_adapter(self.model, folder / "trained", initial)
        ref.save_tensors(folder / "golden.safetensors", golden)

        models = {"base": self.base, "start": self.start, "trained": self.model}
        prompts, chosen = ref.clear_prompts(list(models.values()), self.seed, PROMPTS, self.vocabulary, 16, 0.02)
        (folder / "case.json").write_text(compact({
            "model": self.spec["model"], "max_length": MAX_LENGTH,
            "adapter": None if self.full else self.spec["adapter"]["hone"], "optimizer": self.optimizer,
            "documents": [{"ids": i, "masked": m} for i, m in self.docs], "steps": self.steps,
            "losses": self.losses, "grad_norms": self.norms, "noise": self.noise,
            "probes": probes, "prompts": prompts, "greedy": dict(zip(models, chosen)),
        }))


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    wanted = sys.argv[1:] or list(CASES)
    write_models(wanted)
    for i, (case, spec) in enumerate(CASES.items()):
        if case in wanted:
            make(case, spec, spec.get("seed", 100 + i))


if __name__ == "__main__":
    main()
