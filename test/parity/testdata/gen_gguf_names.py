"""Makes gguf_names.json: how the gguf package names the tensors of a file of each model of
families.py, and of which of the checkpoint's tensors, the first expert's, it is made.

    python testdata/gen_gguf_names.py

Made with gguf 0.19.0, from the models that gen_parity.py wrote.
"""

import json
import re
from pathlib import Path

import gguf
from safetensors import safe_open

from families import GGUF

HERE = Path(__file__).parent


def parts(name):
    """What llama.cpp's converter makes of a tensor before it asks for the name."""
    if re.search(r"experts\.[1-9]\d*\.", name):
        return []  # goes into the first one's
    name = name.replace("experts.0.", "experts.")
    if "kv_b_proj" in name:
        return [name.replace("kv_b_proj", "k_b_proj"), name.replace("kv_b_proj", "v_b_proj")]
    name = name.replace("e_score_correction_bias", "e_score_correction.bias").replace("self_attn.sinks", "self_attn.sinks.weight")
    if match := re.search(r"(gate_up|down)_proj(_bias)?$", name):  # gpt-oss
        ending = ".bias" if match[2] else ".weight"
        return [name[:match.start()] + p + ending for p in (["gate_proj", "up_proj"] if match[1] == "gate_up" else ["down_proj"])]
    return [name]


def main():
    out = {}
    architectures = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    for name, architecture in GGUF.items():
        layers = json.loads((HERE / "models" / name / "config.json").read_text())["num_hidden_layers"]
        names = gguf.get_tensor_name_map(architectures[architecture], layers)
        with safe_open(HERE / "models" / name / "model.safetensors", "pt") as f:
            tensors = {names.get_name(part, (".weight", ".bias")): k for k in sorted(f.keys()) for part in parts(k)}
        assert all(tensors), (name, tensors)
        out[name] = {"architecture": architecture, "tensors": tensors}
    (HERE / "gguf_names.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
