// Package gemm multiplies matrices in single precision on a CPU:
//
//	C = alpha · A · B   and   C += alpha · A · B
//
// A and B are [Matrix] values: views of row-major memory, transposed or not, that
// hold float32, bfloat16, float16 or, behind a [Source], anything that widens to
// float32, such as the quantised blocks of a GGUF file. They are widened as they
// are packed, a block at a time, so that frozen weights stay in memory as they
// are stored. C is float32. A [Multiplier] does the work on a pool of threads.
//
// It is for matrices as they occur in a transformer: with hundreds to thousands of
// rows, with one to eight (a token being generated), and with one side as thin as a
// LoRA rank. It is not a BLAS, and it does not check values.
//
// # The same bits
//
// Each element of C is computed by one thread, its products added in the order of
// K: blocks of 256 (the last of up to 384), each summed by fused multiply-adds from
// zero, then scaled by alpha and added to C. So a result depends neither on the
// number of threads nor on how many rows and columns there are beside it, with one
// exception: up to eight rows times a transposed matrix are dot products (see
// vector.go), summed in another order. Between instruction sets
// results differ by rounding.
//
// # How the pieces meet
//
// multiplier.go checks shapes and chooses a way by shape alone; blocks.go cuts it
// into items for the pool; pack_a.go and pack_b.go widen and reorder operands;
// tiles.go runs the kernels over tiles of C; vector.go is the way for few rows.
// kernels.go lists what an instruction set has to implement: AVX2 and AVX-512 are
// assembly written by the programs in asm, NEON likewise, the rest plain Go.
package gemm

//go:generate go run -modfile=../../../tools/avo/go.mod asm/main.go asm/tile.go asm/stored.go -out gemm_amd64.s -stubs stubs_amd64.go -pkg gemm
//go:generate go run asm/neon/main.go
