package rows_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/device/devicetest"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/plugins/cuda-kernels/rows/rowstest"
)

func TestChains(t *testing.T) {
	first, next := make([]int32, 8), make([]int32, 8)
	rows.Chains(first, next, []int32{5, 2, 5, 5, 9, 2})
	if want := []int32{1, 1, 0, 0, 1, 0, 0, 0}; !slices.Equal(first, want) {
		t.Errorf("first = %v, want %v", first, want)
	}
	if want := []int32{2, 5, 3, -1, -1, -1, -1, -1}; !slices.Equal(next, want) {
		t.Errorf("next = %v, want %v", next, want)
	}
}

func TestEmbed(t *testing.T) {
	const vocabulary, bucket = 11, 9
	ids := []int32{4, 10, 4, 0, 4, 10}
	padded := append(slices.Clone(ids), 0, 0, 0)
	first, next := make([]int32, bucket), make([]int32, bucket)
	rows.Chains(first, next, ids)
	each(t, sizes(), func(set *device.Set, c sized) *rows.Embed { return rows.NewEmbed(set, c.width, c.from, c.to) },
		func(b *devicetest.Bench, c sized, k *rows.Embed) {
			table := rowstest.Random(b, c.from, vocabulary*c.width, 1)
			y := rowstest.Empty(b, c.to, bucket*c.width)
			id := b.UploadInts(padded)
			const scale = 1.5
			want := make([]float64, len(y.Numbers))
			for i := range want {
				want[i] = scale * table.At(int(padded[i/c.width])*c.width+i%c.width)
			}
			k.Forward(b.Queue, bucket, y.Pointer, table.Pointer, id, scale)
			rowstest.Compare(b, c.String(), y, want, exact)

			d, dy := rowstest.Random(b, device.Float32, vocabulary*c.width, 2), rowstest.Random(b, c.to, bucket*c.width, 3)
			want = make([]float64, len(d.Numbers))
			for i := range want {
				want[i] = d.At(i)
			}
			for i := range len(ids) * c.width {
				want[int(ids[i/c.width])*c.width+i%c.width] += scale * dy.At(i)
			}
			k.Backward(b.Queue, bucket, d.Pointer, dy.Pointer, id, b.UploadInts(first), b.UploadInts(next), rows.Own{}, scale)
			rowstest.Compare(b, c.String()+", gradient", d, want, 2*exact)
		})
}

// TestOverlay: rows of one's own in a table, forward and backward, and the table's
// gradient without them.
func TestOverlay(t *testing.T) {
	const vocabulary, bucket, scale = 11, 9, 1.5
	ids, owned := []int32{4, 10, 4, 0, 4, 10, 7}, []int32{1, 4, 7, 9}
	padded := append(slices.Clone(ids), 0, 0)
	first, next := make([]int32, bucket), make([]int32, bucket)
	rows.Chains(first, next, ids)
	each(t, sizes(), func(set *device.Set, c sized) *rows.Embed { return rows.NewEmbed(set, c.width, c.from, c.to) },
		func(b *devicetest.Bench, c sized, k *rows.Embed) {
			table, y := rowstest.Random(b, c.from, len(owned)*c.width, 1), rowstest.Random(b, c.to, bucket*c.width, 2)
			id, own := b.UploadInts(padded), rows.Own{IDs: b.UploadInts(owned), Count: len(owned)}
			want := wide(y)
			for i := range want {
				if at := slices.Index(owned, padded[i/c.width]); at >= 0 {
					want[i] = scale * table.At(at*c.width+i%c.width)
				}
			}
			k.Overlay(b.Queue, bucket, y.Pointer, table.Pointer, id, own, scale)
			rowstest.Compare(b, c.String(), y, want, exact)

			dy := rowstest.Random(b, c.to, bucket*c.width, 3)
			d, whole := rowstest.Random(b, device.Float32, len(owned)*c.width, 4), rowstest.Random(b, device.Float32, vocabulary*c.width, 5)
			wantOwn, wantWhole := wide(d), wide(whole)
			for i := range len(ids) * c.width {
				if at := slices.Index(owned, ids[i/c.width]); at >= 0 {
					wantOwn[at*c.width+i%c.width] += scale * dy.At(i)
				} else {
					wantWhole[int(ids[i/c.width])*c.width+i%c.width] += scale * dy.At(i)
				}
			}
			k.OverlayBackward(b.Queue, bucket, d.Pointer, dy.Pointer, id, b.UploadInts(first), b.UploadInts(next), own, scale)
			rowstest.Compare(b, c.String()+", own gradient", d, wantOwn, 2*exact)
			k.Backward(b.Queue, bucket, whole.Pointer, dy.Pointer, id, b.UploadInts(first), b.UploadInts(next), own, scale)
			rowstest.Compare(b, c.String()+", the others' gradient", whole, wantWhole, 2*exact)
		})
}

// TestPick takes columns out of a matrix and puts others there.
func TestPick(t *testing.T) {
	const width, n = 37, 5
	b := devicetest.Open(t)
	for _, of := range rowstest.Types() {
		for _, columns := range [][]int32{{0}, {3, 36}, {1, 2, 5, 8, 13, 21, 30, 34, 36}} {
			set := &device.Set{}
			p := rows.NewPick(set, width, len(columns), of)
			b.Load(set)
			y, d, list := rowstest.Random(b, of, n*width, 1), rowstest.Empty(b, of, n*p.Stride()), b.UploadInts(columns)
			wantY, wantD := wide(y), make([]float64, n*p.Stride())
			for row := range n {
				for k, c := range columns {
					wantD[row*p.Stride()+k], wantY[row*width+int(c)] = wantY[row*width+int(c)], 0
				}
			}
			name := fmt.Sprintf("%v, columns %v: ", of, columns)
			p.Take(b.Queue, n, d.Pointer, y.Pointer, list)
			rowstest.Compare(b, name+"taken", d, wantD, 0)
			rowstest.Compare(b, name+"what is left", y, wantY, 0)

			other := rowstest.Random(b, of, n*p.Stride(), 2)
			for row := range n {
				for k, c := range columns {
					wantY[row*width+int(c)] = other.At(row*p.Stride() + k)
				}
			}
			p.Put(b.Queue, n, y.Pointer, other.Pointer, list)
			rowstest.Compare(b, name+"put", y, wantY, 0)
		}
	}
}

const jointRows = 7

// joint is a concat, or without repeats a split.
type joint struct {
	groups int
	widths []int
	repeat []bool
	of     device.Type
}

func (j joint) whole() int {
	sum := 0
	for _, w := range j.widths {
		sum += w
	}
	return j.groups * sum
}

// joined is the concat of parts in float64; a nil part is zeros.
func (j joint) joined(n int, parts [][]float64) []float64 {
	var y []float64
	for t := range n {
		for g := range j.groups {
			for i, w := range j.widths {
				at := (t*j.groups + g) * w
				if j.repeat != nil && j.repeat[i] {
					at = t * w
				}
				if parts[i] == nil {
					y = append(y, make([]float64, w)...)
					continue
				}
				y = append(y, parts[i][at:at+w]...)
			}
		}
	}
	return y
}

// cut is part i of a whole; that of a repeated input is the sum over the groups.
func (j joint) cut(n, i int, whole []float64) []float64 {
	width, offset := j.whole()/j.groups, 0
	for _, w := range j.widths[:i] {
		offset += w
	}
	w := j.widths[i]
	repeated := j.repeat != nil && j.repeat[i]
	var out []float64
	for t := range n {
		for g := range j.groups {
			from := (t*j.groups+g)*width + offset
			if repeated && g > 0 {
				for c := range w {
					out[t*w+c] += whole[from+c]
				}
				continue
			}
			out = append(out, whole[from:from+w]...)
		}
	}
	return out
}

// size is the numbers of part i in so many rows.
func (j joint) size(i int) int {
	if j.repeat != nil && j.repeat[i] {
		return jointRows * j.widths[i]
	}
	return jointRows * j.groups * j.widths[i]
}

func wide(b rowstest.Buffer) []float64 {
	out := make([]float64, len(b.Numbers))
	for i := range out {
		out[i] = b.At(i)
	}
	return out
}

func sum(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

func TestSplit(t *testing.T) {
	var cases []joint
	for _, of := range rowstest.Types() {
		cases = append(cases,
			joint{1, []int{40, 8, 8}, nil, of}, joint{3, []int{5, 1}, nil, of},
			joint{4, []int{128, 64}, nil, of}, joint{2, []int{12, 12}, nil, of})
	}
	each(t, cases, func(set *device.Set, j joint) *rows.Split { return rows.NewSplit(set, j.groups, j.widths, j.of) },
		func(b *devicetest.Bench, j joint, s *rows.Split) {
			const n = jointRows
			name := fmt.Sprintf("%+v: ", j)
			x := rowstest.Random(b, j.of, n*j.whole(), 1)
			var y []rowstest.Buffer
			var pointers []device.Pointer
			for i := range j.widths {
				y = append(y, rowstest.Empty(b, j.of, j.size(i)))
				pointers = append(pointers, y[i].Pointer)
			}
			s.Forward(b.Queue, n, pointers, x.Pointer)
			for i := range y {
				rowstest.Compare(b, name+"y", y[i], j.cut(n, i, wide(x)), 0)
			}
			// The gradient of the first part is missing in one pass.
			for _, missing := range []bool{false, true} {
				for _, accumulate := range []bool{false, true} {
					var parts [][]float64
					for i := range j.widths {
						dy := rowstest.Random(b, j.of, j.size(i), uint64(10+i))
						parts, pointers[i] = append(parts, wide(dy)), dy.Pointer
					}
					if missing {
						parts[0], pointers[0] = nil, 0
					}
					dx := rowstest.Result(b, j.of, n*j.whole(), accumulate)
					want := j.joined(n, parts)
					if accumulate {
						want = sum(want, wide(dx))
					}
					s.Backward(b.Queue, n, dx.Pointer, pointers, accumulate)
					rowstest.Compare(b, name+"dx", dx, want, exact)
				}
			}
		})
}

func TestConcat(t *testing.T) {
	var cases []joint
	for _, of := range rowstest.Types() {
		cases = append(cases,
			joint{1, []int{40, 8}, []bool{false, false}, of}, joint{3, []int{5, 2, 1}, []bool{true, false, true}, of},
			joint{6, []int{128, 64}, []bool{false, true}, of}, joint{5, []int{4}, []bool{true}, of})
	}
	each(t, cases, func(set *device.Set, j joint) *rows.Concat {
		return rows.NewConcat(set, j.groups, j.widths, j.repeat, j.of)
	}, func(b *devicetest.Bench, j joint, k *rows.Concat) {
		const n = jointRows
		name := fmt.Sprintf("%+v: ", j)
		var parts [][]float64
		var pointers []device.Pointer
		for i := range j.widths {
			x := rowstest.Random(b, j.of, j.size(i), uint64(10+i))
			parts, pointers = append(parts, wide(x)), append(pointers, x.Pointer)
		}
		y := rowstest.Empty(b, j.of, n*j.whole())
		k.Forward(b.Queue, n, y.Pointer, pointers)
		rowstest.Compare(b, name+"y", y, j.joined(n, parts), 0)

		dy := rowstest.Random(b, j.of, n*j.whole(), 3)
		for _, accumulate := range []bool{false, true} {
			var dx []rowstest.Buffer
			var flags []bool
			for i := range j.widths {
				flags = append(flags, accumulate)
				dx = append(dx, rowstest.Result(b, j.of, j.size(i), accumulate))
				pointers[i] = dx[i].Pointer
			}
			unwanted := len(dx) - 1
			if unwanted > 0 && accumulate {
				pointers[unwanted] = 0
			}
			k.Backward(b.Queue, n, pointers, dy.Pointer, flags)
			for i := range dx {
				want := j.cut(n, i, wide(dy))
				switch {
				case pointers[i] == 0:
					want = wide(dx[i])
				case accumulate:
					want = sum(want, wide(dx[i]))
				}
				rowstest.Compare(b, fmt.Sprint(name, "dx ", i), dx[i], want, 4*exact)
			}
		}
	})
}
