"""Reads the safetensors files named on the command line with the reference
implementation and prints what is in them as JSON: for each tensor its dtype as
torch names it, its shape, and its bytes in hexadecimal.

    python testdata/check_safetensors.py FILE…        (needs: torch, safetensors)

A test runs it on files that hone wrote, with the interpreter in HONE_TEST_PYTHON.
"""

import json
import sys

import torch
from safetensors import safe_open

found = {}
for path in sys.argv[1:]:
    with safe_open(path, "pt") as f:
        for name in f.keys():
            t = f.get_tensor(name).contiguous()
            raw = bytes(t.reshape(-1).view(torch.uint8).tolist()) if t.numel() else b""
            found[name] = {"dtype": str(t.dtype), "shape": list(t.shape), "bytes": raw.hex(), "format": f.metadata()["format"]}
print(json.dumps(found))
