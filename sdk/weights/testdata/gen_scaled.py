"""Writes scaled.safetensors: tensors whose scales are tensors of their own, as published
checkpoints hold them, and what they mean.

    python testdata/gen_scaled.py        (needs: torch, transformers, safetensors; run in the package's folder)

mxfp4.blocks, mxfp4.scales    random bytes, each exponent once, but the last, which means NaN
mxfp4.values                  what transformers makes of them, in bfloat16, in the checkpoint's own order
fp8.weight, fp8.scales        e4m3 numbers and a float32 for each block of 4 by 8
fp8.values                    their products, in float32
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

torch.manual_seed(5)
blocks = torch.randint(0, 256, (3, 5, 17, 16), dtype=torch.uint8)
scales = torch.arange(255, dtype=torch.uint8).reshape(3, 5, 17)
weight = torch.randn(10, 19).to(torch.float8_e4m3fn)
factors = torch.rand(3, 3) + 0.1
spread = factors.repeat_interleave(4, 0)[:10].repeat_interleave(8, 1)[:, :19]
save_file({
    "mxfp4.blocks": blocks, "mxfp4.scales": scales,
    "mxfp4.values": convert_moe_packed_tensors(blocks, scales).transpose(1, 2).contiguous(),
    "fp8.weight": weight, "fp8.scales": factors, "fp8.values": weight.float() * spread,
}, Path(__file__).parent / "scaled.safetensors")
