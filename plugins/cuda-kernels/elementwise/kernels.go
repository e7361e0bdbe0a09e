package elementwise

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
)

// forward is y = f(x₀, x₁ …), a vector of elements a thread. y may stand in the place
// of an input of the same width and type: a thread has read its elements before it
// writes them.
func (w *writer) forward(c *code) (device.Source, int) {
	v := w.vector(c, w.together(c), w.spec.Out)
	return w.source(c, fill(`
template <int V> __device__ __forceinline__ void at(i64 e, $PARAMETERS$OUT *y) {
$PLACE$READS    float out[V];
#pragma unroll
    for (int j = 0; j < V; j++) {
        float d0;
        $CALL
        out[j] = d0;
    }
    store_floats<V>(y + e, out);
}

extern "C" __global__ void __launch_bounds__(THREADS) map_forward($PARAMETERS$OUT *y, i64 n) {
    i64 e = (i64(blockIdx.x) * THREADS + threadIdx.x) * $VECTOR;
    if (e + $VECTOR <= n)
        at<$VECTOR>(e, $NAMESy);
    else
        for (; e < n; e++) at<1>(e, $NAMESy);
}
`, w.texts(c, v)...)), v
}

// inputs is dxₖ = dy·∂y/∂xₖ for inputs as wide as y, in one pass over the arguments.
// Bit k of added says that dxₖ is added to what is there. A dxₖ may stand in the place
// of dy or of an input of its type.
func (w *writer) inputs(c *code, types []device.Type) (device.Source, int) {
	v := w.vector(c, w.together(c), append(types, w.spec.Out)...)
	pairs := append(w.texts(c, v),
		"$RESULTS", eachType(types, "@ *dx#, "),
		"$RESULTNAMES", each(len(types), "dx#, "),
		"$OLD", each(len(types), "    float g#[V] = {};\n    if (added >> # & 1) load_floats<V>(dx# + e, g#);\n"),
		"$PUT", each(len(types), "    store_floats<V>(dx# + e, g#);\n"),
	)
	return w.source(c, fill(`
template <int V> __device__ __forceinline__ void at(i64 e, $PARAMETERSconst $OUT *dy, $RESULTSu64 added) {
$PLACE$READS    float up[V];
    load_floats<V>(dy + e, up);
$OLD#pragma unroll
    for (int j = 0; j < V; j++) {
        float $DECLARE;
        $CALL
        $ADD
    }
$PUT}

extern "C" __global__ void __launch_bounds__(THREADS) map_inputs($PARAMETERSconst $OUT *dy, $RESULTSu64 added, i64 n) {
    i64 e = (i64(blockIdx.x) * THREADS + threadIdx.x) * $VECTOR;
    if (e + $VECTOR <= n)
        at<$VECTOR>(e, $NAMESdy, $RESULTNAMESadded);
    else
        for (; e < n; e++) at<1>(e, $NAMESdy, $RESULTNAMESadded);
}
`, append(pairs, "$ADD", each(len(types), "g#[j] += up[j] * d#; "))...)), v
}

// groups is dxₖ[t, g] = Σ dy·∂y/∂xₖ over the columns of group g, for inputs of one
// width that is less than y's. A group is summed by lanes threads.
func (w *writer) groups(c *code, width int, types []device.Type) (s device.Source, lanes int) {
	group := w.spec.Map.Width / width
	v := w.vector(c, group, w.spec.Out)
	lanes = groupLanes(group, v)
	pairs := append(w.texts(c, v),
		"$RESULTS", eachType(types, "@ *dx#, "),
		"$SUMS", each(len(types), "    float g# = 0.0f;\n"),
		"$ADD", each(len(types), "g# += up[j] * d#; "),
		"$PUT", eachType(types, "    g# = sum_lanes<LANES>(g#);\n"+
			"    if (lane == 0 && cell < cells) dx#[cell] = from_float<@>((added >> # & 1 ? to_float(dx#[cell]) : 0.0f) + g#);\n"),
		"$LANES", fmt.Sprint(lanes), "$COUNT", fmt.Sprint(width), "$GROUP", fmt.Sprint(group),
	)
	return w.source(c, fill(`
extern "C" __global__ void __launch_bounds__(THREADS) map_groups($PARAMETERSconst $OUT *dy, $RESULTSu64 added, i64 cells) {
    constexpr int V = $VECTOR, LANES = $LANES, GROUP = $GROUP;
    const int lane = threadIdx.x % LANES;
    const i64 cell = i64(blockIdx.x) * (THREADS / LANES) + threadIdx.x / LANES;
    [[maybe_unused]] const i64 row = quotient<$COUNT>(cell);
    [[maybe_unused]] const int first = int(cell - row * $COUNT) * GROUP;
$SUMS    for (int i = lane * V; cell < cells && i < GROUP; i += LANES * V) {
    const i64 e = cell * GROUP + i;
    [[maybe_unused]] const int column = first + i;
$READS    float up[V];
    load_floats<V>(dy + e, up);
#pragma unroll
    for (int j = 0; j < V; j++) {
        float $DECLARE;
        $CALL
        $ADD
    }
    }
$PUT}
`, pairs...)), lanes
}

// groupLanes is how many threads sum a group: up to a warp, or a whole block where
// each thread of a warp would have many vectors.
func groupLanes(group, vector int) int {
	vectors := group / vector
	if vectors > 128 {
		return threads
	}
	lanes := 1
	for lanes < vectors && lanes < 32 {
		lanes *= 2
	}
	return lanes
}

// columns is the first stage of dpₖ = Σ dy·∂y/∂pₖ over rows, for parameters [Width]:
// block (x, y) sums, over the rows that are its share, 32 vectors of columns, and
// writes partial[k, y, column].
func (w *writer) columns(c *code) (device.Source, int) {
	n := len(c.program.Outputs)
	v := w.vector(c, w.spec.Map.Width, w.spec.Out)
	pairs := append(w.texts(c, v),
		"$SUMS", each(n, "    float g#[V] = {};\n"),
		"$ADD", each(n, "g#[j] += up[j] * d#; "),
		"$PUT", each(n, "    fold_rows<V>(g#, partial + (i64(#) * gridDim.y + blockIdx.y) * WIDTH, column);\n"),
	)
	return w.source(c, fill(`
extern "C" __global__ void __launch_bounds__(THREADS) map_columns($PARAMETERSconst $OUT *dy, float *partial, i64 rows) {
    constexpr int V = $VECTOR;
    const int column = (blockIdx.x * 32 + threadIdx.x % 32) * V;
$SUMS    for (i64 row = i64(blockIdx.y) * 8 + threadIdx.x / 32; column < WIDTH && row < rows; row += i64(gridDim.y) * 8) {
    const i64 e = row * WIDTH + column;
$READS    float up[V];
    load_floats<V>(dy + e, up);
#pragma unroll
    for (int j = 0; j < V; j++) {
        float $DECLARE;
        $CALL
        $ADD
    }
    }
$PUT}
`, pairs...)), v
}

// scalars is the first stage of dpₖ = Σ dy·∂y/∂pₖ over all elements, for parameters of
// one element: a block writes partial[k, block]. A thread adds up vectors in float64.
func (w *writer) scalars(c *code) (device.Source, int) {
	n := len(c.program.Outputs)
	v := w.vector(c, w.together(c), w.spec.Out)
	pairs := append(w.texts(c, v),
		"$SUMREFS", each(n, ", double &s#"),
		"$SUMNAMES", each(n, ", s#"),
		"$SUMS", each(n, "    double s# = 0.0;\n"),
		"$PARTS", each(n, "    float g# = 0.0f;\n"),
		"$ADD", each(n, "g# += up[j] * d#; "),
		"$KEEP", each(n, "    s# += g#;\n"),
		"$PUT", each(n, "    s# = block_sum_double(s#);\n    if (threadIdx.x == 0) partial[# * gridDim.x + blockIdx.x] = s#;\n"),
	)
	return w.source(c, fill(`
template <int V> __device__ __forceinline__ void at(i64 e, $PARAMETERSconst $OUT *dy$SUMREFS) {
$PLACE$READS    float up[V];
    load_floats<V>(dy + e, up);
$PARTS#pragma unroll
    for (int j = 0; j < V; j++) {
        float $DECLARE;
        $CALL
        $ADD
    }
$KEEP}

extern "C" __global__ void __launch_bounds__(THREADS) map_scalars($PARAMETERSconst $OUT *dy, double *partial, i64 n) {
$SUMS    for (i64 e = (i64(blockIdx.x) * THREADS + threadIdx.x) * $VECTOR; e < n; e += i64(gridDim.x) * THREADS * $VECTOR) {
        if (e + $VECTOR <= n)
            at<$VECTOR>(e, $NAMESdy$SUMNAMES);
        else
            for (i64 one = e; one < n; one++) at<1>(one, $NAMESdy$SUMNAMES);
    }
$PUT}
`, pairs...)), v
}

// texts are what all kernels put in: the code's parameters, what it reads, its call.
func (w *writer) texts(c *code, vector int) []string {
	at := ""
	if w.rowed(c) {
		at = place
	}
	declare := ""
	for k := range c.program.Outputs {
		if k > 0 {
			declare += ", "
		}
		declare += fmt.Sprintf("d%d", k)
	}
	return []string{
		"$PARAMETERS", w.parameters(c), "$NAMES", w.names(c), "$OUT", w.spec.Out.C(), "$PLACE", at,
		"$READS", w.reads(c), "$CALL", w.call(c), "$VECTOR", fmt.Sprint(vector), "$DECLARE", declare,
	}
}
