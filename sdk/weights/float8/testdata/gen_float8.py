"""Writes float8.json: the value of each of the 256 bit patterns of the 8-bit
formats, as the bits of a float32 (NaN as 0x7fc00000).

    python testdata/gen_float8.py        (needs: torch; run in the package's folder)
"""

import json
import pathlib

import torch

formats = {
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
    "F8_E8M0": torch.float8_e8m0fnu,
}
golden = {}
for name, dtype in formats.items():
    values = torch.arange(256, dtype=torch.uint8).view(dtype).float()
    bits = values.view(torch.int32).tolist()
    golden[name] = [0x7FC00000 if v != v else b & 0xFFFFFFFF for v, b in zip(values.tolist(), bits)]
text = json.dumps(golden).replace('], "', '],\n"')
(pathlib.Path(__file__).parent / "float8.json").write_text(text + "\n")
