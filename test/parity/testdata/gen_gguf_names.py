"""Makes gguf_names.json: how the gguf package names the tensors of each model of
families.py in a file of its architecture.

    python testdata/gen_gguf_names.py

Made with gguf 0.19.0, from the models that gen_parity.py wrote.
"""

import json
from pathlib import Path

import gguf
from safetensors import safe_open

from families import GGUF

HERE = Path(__file__).parent


def main():
    out = {}
    architectures = {name: key for key, name in gguf.MODEL_ARCH_NAMES.items()}
    for name, architecture in GGUF.items():
        layers = json.loads((HERE / "models" / name / "config.json").read_text())["num_hidden_layers"]
        names = gguf.get_tensor_name_map(architectures[architecture], layers)
        with safe_open(HERE / "models" / name / "model.safetensors", "pt") as f:
            tensors = {k: names.get_name(k, (".weight", ".bias")) for k in sorted(f.keys())}
        assert all(tensors.values()), (name, tensors)
        out[name] = {"architecture": architecture, "tensors": tensors}
    (HERE / "gguf_names.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
