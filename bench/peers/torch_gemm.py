"""Multiplies float32 matrices with torch on the CPU and prints the rate of the
fastest product, as BenchmarkProduct of plugins/cpu-kernels/gemm does.

    python bench/peers/torch_gemm.py

Each is x [m, k] times the transpose of w [n, k]. Needs torch.
"""
import time

import torch

products = [("linear", 512, 1536, 576), ("square", 1024, 1024, 1024)]
for threads in (1, 2):
    torch.set_num_threads(threads)
    for name, m, n, k in products:
        x, w, out = torch.rand(m, k), torch.rand(n, k), torch.empty(m, n)
        best, end = float("inf"), time.perf_counter() + 2
        while time.perf_counter() < end:
            begun = time.perf_counter()
            torch.matmul(x, w.T, out=out)
            best = min(best, time.perf_counter() - begun)
        print(f"{name}/{m}x{n}x{k}/float32/threads={threads} {2 * m * n * k / best / 1e9:.1f} GFLOP/s")
