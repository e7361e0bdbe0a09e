"""Compiles kernels.cu with NVRTC into the cubins and logs beside this file.

    pip install nvidia-cuda-nvrtc==13.2.86        # or nvidia-cuda-nvrtc-cu12==12.8.93
    python testdata/gen_cubins.py PATH/libnvrtc.so.13 sm_80 sm_120
    python testdata/gen_cubins.py PATH/libnvrtc.so.12 sm_90a

Each file is named by the version of CUDA and the architecture.
"""

import ctypes
import pathlib
import sys

here = pathlib.Path(__file__).parent
nvrtc = ctypes.CDLL(sys.argv[1])
major, minor = ctypes.c_int(), ctypes.c_int()
assert nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)) == 0
source = (here / "kernels.cu").read_bytes()


def fetch(size, read, program):
    n = ctypes.c_size_t()
    assert size(program, ctypes.byref(n)) == 0
    data = ctypes.create_string_buffer(n.value)
    assert read(program, data) == 0
    return data.raw


for arch in sys.argv[2:]:
    program = ctypes.c_void_p()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"kernels.cu", 0, None, None) == 0
    options = [b"--gpu-architecture=" + arch.encode(), b"-std=c++17", b"--ptxas-options=-v"]
    status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    log = fetch(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program).rstrip(b"\0")
    assert status == 0, log.decode()
    log = b"".join(line for line in log.splitlines(True) if b"Compile time" not in line)
    name = f"cuda{major.value}.{minor.value}.{arch}"
    (here / f"{name}.cubin").write_bytes(fetch(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program))
    (here / f"{name}.log").write_bytes(log)
