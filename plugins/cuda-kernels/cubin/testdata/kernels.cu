// Kernels whose resources the test knows: parameters of several sizes, static shared
// memory, a stack frame, launch bounds, none of all that; and registers that spill.
struct alignas(64) Map { unsigned long long words[16]; };

extern "C" __global__ void __launch_bounds__(256)
saxpy(float *y, const float *x, float a, int n, short offset) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i] + offset;
}

extern "C" __global__ void tile(float *y, const __grid_constant__ Map m, int k) {
  __shared__ float shared[64];
  float local[200];
  for (int i = 0; i < 200; i++) local[i] = y[i * k];
  shared[threadIdx.x] = local[k % 200] + m.words[k & 15];
  __syncthreads();
  y[threadIdx.x] = shared[(threadIdx.x + 1) % 64];
}

extern "C" __global__ void __maxnreg__(24) spills(float *y, const float *x) {
  float v[64];
#pragma unroll
  for (int i = 0; i < 64; i++) v[i] = x[i * 33 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 64; i++) y[i * 65 + threadIdx.x] = v[i] * v[63 - i];
}

template <int N> __global__ void scale(float *y) { y[threadIdx.x] *= N; }
template __global__ void scale<3>(float *);

extern "C" __global__ void nothing() {}
