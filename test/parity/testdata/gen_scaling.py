"""Makes scaling.json: models of the parity tests with RoPE scaling as a user of
transformers gives it to them, and the log-probabilities of a document that is longer
than the models' own length.

    python testdata/gen_scaling.py

Made with torch 2.15.0 and transformers 5.24.0, from the models that gen_parity.py
wrote.
"""

import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging

from check_peft import log_probs
from kit import reference as ref

HERE = Path(__file__).parent
MAX_LENGTH, LENGTH = 160, 100  # of a run, and of the document; the models' own is 64

# By model: scaling as hone has it, and what that changes of rope_parameters.
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
PLAIN = [
    ({"kind": "linear", "factor": 2.5}, {"rope_type": "linear", "factor": 2.5}),
    ({"kind": "dynamic", "factor": 4}, {"rope_type": "dynamic", "factor": 4.0}),
    ({"kind": "yarn", "factor": 4}, YARN),
]
CASES = {
    "llama": PLAIN + [(
        {"kind": "yarn", "factor": 8, "original": 32, "attentionfactor": 0.9, "betafast": 4, "betaslow": 0.5},
        {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32, "attention_factor": 0.9, "beta_fast": 4.0, "beta_slow": 0.5},
    )],
    "qwen3": PLAIN,
    "glm": PLAIN[1:2],  # a part of each head
    "gemma3": [({"kind": "linear", "factor": 16}, {"factor": 16.0})],  # scaled already, layers without a window alone
    "olmo3": [({"kind": "yarn", "factor": 12}, {"factor": 12.0})],
    "ministral3": [({"kind": "yarn", "factor": 48}, {"factor": 48.0})],
}


def scaled(name, changes):
    folder = HERE / "models" / name
    config = AutoConfig.from_pretrained(folder)
    p = config.rope_parameters
    p = p.get("full_attention", p)
    p.update(changes)
    if p["rope_type"] == "yarn":
        config.max_position_embeddings = int(p["factor"] * p["original_max_position_embeddings"])
    model = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float32, attn_implementation="eager").eval()
    ref.fix_length(model, MAX_LENGTH)
    return model


def main():
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    out = []
    for i, (name, scalings) in enumerate(CASES.items()):
        for scaling, changes in scalings:
            model = scaled(name, changes)
            [document] = ref.documents(300 + i, [LENGTH], model.config.vocab_size)
            plain = AutoModelForCausalLM.from_pretrained(HERE / "models" / name, dtype=torch.float32, attn_implementation="eager").eval()
            got, unscaled = log_probs(model, [document]), log_probs(plain, [document])
            assert max(abs(a - b) for a, b in zip(got, unscaled)) > 0.02, f"{name}: {scaling} changes too little to be seen"
            out.append({"model": name, "scaling": scaling, "max_length": MAX_LENGTH, "document": document, "log_probs": [round(v, 6) for v in got]})
    lines = ",\n".join("  " + json.dumps(o) for o in out)
    (HERE / "scaling.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
