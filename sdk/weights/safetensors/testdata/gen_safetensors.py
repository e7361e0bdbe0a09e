"""Writes what the tests of package safetensors read:

    python testdata/gen_safetensors.py   (needs: torch, safetensors, huggingface_hub; run in the package's folder)

dtypes.safetensors  every dtype that torch has, a scalar, an empty tensor, and
                    names that JSON must escape, by the reference implementation
sharded/            the tensors layers.I.weight, I < 6, I64 [I+1, 4], element j of
                    tensor I being 100*I+j, in shards of at most 200 bytes, by
                    huggingface_hub
"""

import pathlib
import shutil

import torch
from huggingface_hub import save_torch_state_dict
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent


def ramp(dtype, n=6):
    if dtype in (torch.bool,):
        return torch.arange(n).remainder(2).to(dtype)
    if dtype == torch.float8_e8m0fnu:
        return torch.arange(120, 120 + n, dtype=torch.uint8).view(dtype)
    return torch.arange(n).to(torch.float32).to(dtype)


names = """bool uint8 int8 float8_e5m2 float8_e4m3fn float8_e8m0fnu float8_e4m3fnuz float8_e5m2fnuz
int16 uint16 float16 bfloat16 int32 uint32 float32 complex64 float64 int64 uint64""".split()
tensors = {name: ramp(getattr(torch, name)).reshape(2, 3).clone() for name in names}
tensors["scalar"] = torch.tensor(2.5)
tensors["empty"] = torch.zeros(3, 0, dtype=torch.float16)
tensors['q"uote\\back/slash <&> \u00e9\u6f22 \t'] = torch.tensor([7], dtype=torch.int32)
save_file(tensors, here / "dtypes.safetensors", metadata={"format": "pt"})

sharded = {
    f"layers.{i}.weight": (100 * i + torch.arange(4 * (i + 1))).reshape(i + 1, 4) for i in range(6)
}
folder = here / "sharded"
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir()
save_torch_state_dict(sharded, folder, max_shard_size=200)
for path in here.rglob("*.safetensors"):
    path.chmod(0o644)
