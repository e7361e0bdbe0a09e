package gemm

import (
	"unsafe"

	"github.com/honeml/hone/sdk/weights/halffloat"
)

// The kernels in plain Go. A panel of B is eight columns wide; tiles are summed
// four columns at a time, by sums in variables of their own: an array of them would
// not be kept in registers.

func genericKernels() *kernels {
	tiles := []tileFunc{tileGeneric(1), tileGeneric(2), tileGeneric(3), tileGeneric(4)}
	return &kernels{
		rows: 4, columns: lanes, vector: lanes,
		tiles:     [2][]tileFunc{tiles, tiles},
		float32s:  genericStored(func(v float32) float32 { return v }),
		bfloat16s: genericStored(halffloat.FromBFloat16),
		float16s:  genericStored(halffloat.FromFloat16),
	}
}

// at is the slice of n elements from p on, which the caller knows to be there.
func at[T any](p *T, n int) []T { return unsafe.Slice(p, n) }

// tileGeneric is the kernel for a tile of up to four rows.
func tileGeneric(rows int) tileFunc {
	return func(k int, a *float32, rowStep, columnStep int, b *float32, bStep int, c *float32, cStep int, alpha float32, accumulate bool) {
		as, bs, cs := at(a, (rows-1)*rowStep+(k-1)*columnStep+1), at(b, (k-1)*bStep+lanes), at(c, (rows-1)*cStep+lanes)
		for j := 0; j < lanes; j += 4 {
			if rows == 4 {
				fourRows(k, as, rowStep, columnStep, bs[j:], bStep, cs[j:], cStep, alpha, accumulate)
				continue
			}
			for i := range rows {
				oneRow(k, as[i*rowStep:], columnStep, bs[j:], bStep, cs[i*cStep+j:], alpha, accumulate)
			}
		}
	}
}

// oneRow is a tile of one row and four columns.
func oneRow(k int, a []float32, columnStep int, b []float32, bStep int, c []float32, alpha float32, accumulate bool) {
	var s0, s1, s2, s3 float32
	for l := range k {
		x, row := a[l*columnStep], b[l*bStep:l*bStep+4]
		s0 += x * row[0]
		s1 += x * row[1]
		s2 += x * row[2]
		s3 += x * row[3]
	}
	finish(c[:4], s0, s1, s2, s3, alpha, accumulate)
}

// fourRows is a tile of four rows and four columns.
func fourRows(k int, a []float32, rowStep, columnStep int, b []float32, bStep int, c []float32, cStep int, alpha float32, accumulate bool) {
	a1, a2, a3 := a[rowStep:], a[2*rowStep:], a[3*rowStep:]
	var s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33 float32
	for l := range k {
		row := b[l*bStep : l*bStep+4]
		b0, b1, b2, b3 := row[0], row[1], row[2], row[3]
		x := a[l*columnStep]
		s00 += x * b0
		s01 += x * b1
		s02 += x * b2
		s03 += x * b3
		x = a1[l*columnStep]
		s10 += x * b0
		s11 += x * b1
		s12 += x * b2
		s13 += x * b3
		x = a2[l*columnStep]
		s20 += x * b0
		s21 += x * b1
		s22 += x * b2
		s23 += x * b3
		x = a3[l*columnStep]
		s30 += x * b0
		s31 += x * b1
		s32 += x * b2
		s33 += x * b3
	}
	finish(c[:4], s00, s01, s02, s03, alpha, accumulate)
	finish(c[cStep:cStep+4], s10, s11, s12, s13, alpha, accumulate)
	finish(c[2*cStep:2*cStep+4], s20, s21, s22, s23, alpha, accumulate)
	finish(c[3*cStep:3*cStep+4], s30, s31, s32, s33, alpha, accumulate)
}

// finish writes alpha times the sums of a row to c, or adds it.
func finish(c []float32, s0, s1, s2, s3, alpha float32, accumulate bool) {
	s0, s1, s2, s3 = alpha*s0, alpha*s1, alpha*s2, alpha*s3
	if accumulate {
		s0, s1, s2, s3 = s0+c[0], s1+c[1], s2+c[2], s3+c[3]
	}
	c[0], c[1], c[2], c[3] = s0, s1, s2, s3
}

func genericStored[T element](widen func(T) float32) storedKernels[T] {
	k := storedKernels[T]{
		widen: widen,
		transpose: func(dst *float32, dstStep int, src *T, srcStep, n int) {
			to, from := at(dst, (n-1)*dstStep+lanes), at(src, (lanes-1)*srcStep+n)
			for i := range lanes {
				for l, v := range from[i*srcStep : i*srcStep+n] {
					to[l*dstStep+i] = widen(v)
				}
			}
		},
		spread: func(dst *float32, dstStep int, src *T, srcStep, n, vectors int) {
			width := vectors * lanes
			to, from := at(dst, (n-1)*dstStep+width), at(src, (n-1)*srcStep+width)
			for l := range n {
				row := to[l*dstStep : l*dstStep+width]
				for j, v := range from[l*srcStep : l*srcStep+width] {
					row[j] = widen(v)
				}
			}
		},
	}
	for i := range k.dots {
		k.dots[i] = dotsGeneric(i+1, widen)
	}
	return k
}

func dotsGeneric[T element](rows int, widen func(T) float32) func(x *float32, xStep int, w *T, wStep, n, count int, out *float32, outStep int) {
	return func(x *float32, xStep int, w *T, wStep, n, count int, out *float32, outStep int) {
		to := at(out, (rows-1)*outStep+count)
		if n == 0 {
			for i := range rows {
				clear(to[i*outStep : i*outStep+count])
			}
			return
		}
		xs, ws := at(x, (rows-1)*xStep+n), at(w, (count-1)*wStep+n)
		for j := range count {
			row := ws[j*wStep : j*wStep+n]
			for i := range rows {
				to[i*outStep+j] = dotGeneric(xs[i*xStep:i*xStep+n], row, widen)
			}
		}
	}
}

// dotGeneric has four sums side by side, so that no addition waits for the one
// before.
func dotGeneric[T element](x []float32, w []T, widen func(T) float32) float32 {
	var s0, s1, s2, s3 float32
	w = w[:len(x)]
	for k := 0; k+4 <= len(x); k += 4 {
		s0 += x[k] * widen(w[k])
		s1 += x[k+1] * widen(w[k+1])
		s2 += x[k+2] * widen(w[k+2])
		s3 += x[k+3] * widen(w[k+3])
	}
	return (s0 + s1) + (s2 + s3)
}
