package weights

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/weights/dtype"
	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// plain is an array that is all in memory, and the meaning of a source spelt out
// element by element.
type plain struct {
	shape  []int
	values []float32
}

// fill makes an array whose element at each index is what value gives.
func fill(shape []int, value func(index []int) float32) plain {
	p := plain{shape, make([]float32, product(shape))}
	index := make([]int, len(shape))
	for i := range p.values {
		p.values[i] = value(index)
		for d := len(shape) - 1; d >= 0; d-- {
			if index[d]++; index[d] < shape[d] {
				break
			}
			index[d] = 0
		}
	}
	return p
}

func (p plain) at(index []int) float32 {
	i := 0
	for d, x := range index {
		i = i*p.shape[d] + x
	}
	return p.values[i]
}

// with returns index with dimension d set to x.
func with(index []int, d, x int) []int {
	changed := slices.Clone(index)
	changed[d] = x
	return changed
}

// evaluate is the plain definition of a source's shape operations.
func evaluate(s *graph.Source, tensors map[string]plain) (plain, bool) {
	if s.Op == graph.SourceTensor {
		for _, name := range s.Names {
			if p, ok := tensors[name]; ok {
				return p, true
			}
		}
		return plain{}, false
	}
	var args []plain
	for _, a := range s.Args {
		p, ok := evaluate(a, tensors)
		if ok && s.Op == graph.SourceElse {
			return p, true
		}
		if !ok && s.Op != graph.SourceElse {
			return plain{}, false
		}
		args = append(args, p)
	}
	if s.Op == graph.SourceElse {
		return plain{}, false
	}
	in := args[0]
	switch s.Op {
	case graph.SourceSlice:
		shape := with(in.shape, s.Dim, (s.Stop-s.Start+s.Step-1)/s.Step)
		return fill(shape, func(index []int) float32 { return in.at(with(index, s.Dim, s.Start+index[s.Dim]*s.Step)) }), true
	case graph.SourceConcat:
		total := 0
		for _, a := range args {
			total += a.shape[s.Dim]
		}
		return fill(with(in.shape, s.Dim, total), func(index []int) float32 {
			x := index[s.Dim]
			for _, a := range args {
				if x < a.shape[s.Dim] {
					return a.at(with(index, s.Dim, x))
				}
				x -= a.shape[s.Dim]
			}
			panic("beyond the last part")
		}), true
	case graph.SourceStack:
		return fill(slices.Insert(slices.Clone(in.shape), s.Dim, len(args)), func(index []int) float32 {
			return args[index[s.Dim]].at(slices.Delete(slices.Clone(index), s.Dim, s.Dim+1))
		}), true
	case graph.SourcePermute:
		shape := make([]int, len(s.Dims))
		for i, d := range s.Dims {
			shape[i] = in.shape[d]
		}
		return fill(shape, func(index []int) float32 {
			from := make([]int, len(index))
			for i, d := range s.Dims {
				from[d] = index[i]
			}
			return in.at(from)
		}), true
	case graph.SourceReshape:
		return plain{s.Dims, in.values}, true
	case graph.SourceAdd:
		return fill(in.shape, func(index []int) float32 { return in.at(index) + s.Add }), true
	}
	panic("no operation " + s.Op)
}

// sources writes a checkpoint of tensors of several shapes and types, and reads
// them whole.
func sources(t *testing.T) (*Checkpoint, map[string]plain) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	specs := []tensorfile.Spec{
		{Name: "matrix", DType: dtype.F32, Shape: []int{6, 8}},
		{Name: "wide", DType: dtype.BF16, Shape: []int{4, 96}},
		{Name: "experts", DType: dtype.F16, Shape: []int{3, 4, 70}},
		{Name: "four", DType: dtype.F32, Shape: []int{2, 3, 2, 4}},
		{Name: "vector", DType: dtype.F32, Shape: []int{24}},
		{Name: "blocks", DType: dtype.Q4_0, Shape: []int{4, 64}},
		{Name: "empty", DType: dtype.F32, Shape: []int{0, 8}},
		{Name: "scalar", DType: dtype.F32},
	}
	writeGGUF(t, path, nil, specs, random(5))
	c := open(t, path)
	all := map[string]plain{}
	for tensor := range c.Tensors() {
		values := make([]float32, tensor.Elements())
		if err := tensor.Float32(values, 0); err != nil {
			t.Fatal(err)
		}
		all[tensor.Name] = plain{tensor.Shape, values}
	}
	return c, all
}

// drawSource draws an expression over the tensors that fits them.
func drawSource(t *rapid.T, tensors map[string]plain, depth int) *graph.Source {
	names := []string{"matrix", "wide", "experts", "four", "vector", "blocks", "empty", "scalar"}
	op := "tensor"
	if depth > 0 {
		op = rapid.SampledFrom([]string{"slice", "concat", "stack", "permute", "reshape", "add", "else", "tensor"}).Draw(t, "op")
	}
	if op == "tensor" {
		name := rapid.SampledFrom(names).Draw(t, "name")
		if rapid.Bool().Draw(t, "alternative") {
			return graph.FromTensor("none", name, "matrix")
		}
		return graph.FromTensor(name)
	}
	arg := drawSource(t, tensors, depth-1)
	p, _ := evaluate(arg, tensors)
	dim := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "dim") }
	switch {
	case op == "slice" && len(p.shape) > 0:
		d := dim(len(p.shape))
		start := rapid.IntRange(0, p.shape[d]).Draw(t, "start")
		stop := rapid.IntRange(start, p.shape[d]).Draw(t, "stop")
		step := rapid.SampledFrom([]int{1, 1, 2, 3, math.MaxInt / 2}).Draw(t, "step")
		return arg.Slice(d, start, stop, step)
	case op == "concat" && len(p.shape) > 0:
		d := dim(len(p.shape))
		args := []*graph.Source{arg}
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			stop := rapid.IntRange(0, p.shape[d]).Draw(t, "part")
			args = append(args, arg.Slice(d, 0, stop, 1))
		}
		return graph.ConcatSources(d, args...)
	case op == "stack":
		args := slices.Repeat([]*graph.Source{arg}, rapid.IntRange(1, 3).Draw(t, "copies"))
		args[len(args)-1] = arg.Plus(1)
		return graph.StackSources(dim(len(p.shape)+1), args...)
	case op == "permute" && len(p.shape) > 0:
		order := make([]int, len(p.shape))
		for i := range order {
			order[i] = i
		}
		return arg.Permute(rapid.Permutation(order).Draw(t, "order")...)
	case op == "reshape":
		return arg.Reshape(drawShape(t, len(p.values))...)
	case op == "else":
		missing := graph.ConcatSources(0, graph.FromTensor("vector"), graph.FromTensor("none"))
		if rapid.Bool().Draw(t, "first") {
			return arg.Else(missing)
		}
		return missing.Else(arg)
	}
	return arg.Plus(0.5)
}

// drawShape draws a shape of n elements.
func drawShape(t *rapid.T, n int) []int {
	var shape []int
	for rest := n; rest > 1 && len(shape) < 4; {
		d := rapid.IntRange(1, rest).Filter(func(d int) bool { return rest%d == 0 }).Draw(t, "dimension")
		shape = append(shape, d)
		rest /= d
	}
	if len(shape) == 0 {
		return []int{n}
	}
	rest := n
	for _, d := range shape {
		rest /= d
	}
	return append(shape, rest)
}

// TestArrayEqualsDefinition draws expressions and ranges and holds them to the
// definition spelt out.
func TestArrayEqualsDefinition(t *testing.T) {
	c, tensors := sources(t)
	rapid.Check(t, func(t *rapid.T) {
		s := drawSource(t, tensors, rapid.IntRange(0, 4).Draw(t, "depth"))
		want, _ := evaluate(s, tensors)
		a, err := Resolve(c, s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		if !slices.Equal(a.Shape(), want.shape) || a.Elements() != len(want.values) {
			t.Fatalf("%s: shape %v, want %v", s, a.Shape(), want.shape)
		}
		if err := Check(c, s, want.shape); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		for range 4 {
			offset := rapid.IntRange(0, len(want.values)).Draw(t, "offset")
			n := rapid.IntRange(0, len(want.values)-offset).Draw(t, "n")
			got := make([]float32, n)
			if err := a.Float32(got, offset); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			if !slices.Equal(got, want.values[offset:offset+n]) {
				t.Fatalf("%s: %d elements from %d on are %v, want %v", s, n, offset, got, want.values[offset:offset+n])
			}
		}
		if tensor, ok := a.Raw(); ok {
			got := make([]float32, len(want.values))
			if err := tensor.Float32(got, 0); err != nil || !slices.Equal(got, want.values) || !slices.Equal(tensor.Shape, want.shape) {
				t.Fatalf("%s: raw %v gives %v, %v; want %v", s, tensor.Shape, got, err, want.values)
			}
		}
	})
}

func TestRawAndDType(t *testing.T) {
	c, _ := sources(t)
	matrix, wide, experts, blocks := graph.FromTensor("matrix"), graph.FromTensor("wide"), graph.FromTensor("experts"), graph.FromTensor("blocks")
	for _, tt := range []struct {
		source *graph.Source
		dtype  DType
		raw    bool
	}{
		{matrix, dtype.F32, true},
		{blocks, dtype.Q4_0, true},
		{wide.Slice(0, 1, 3, 1), dtype.BF16, true},
		{wide.Slice(0, 2, 3, 5), dtype.BF16, true}, // one row
		{wide.Slice(0, 0, 4, 2), dtype.BF16, false},
		{wide.Slice(1, 0, 5, 1), dtype.BF16, false},
		{wide.Slice(0, 1, 2, 1).Slice(1, 3, 50, 1), dtype.BF16, true}, // a part of one row
		{wide.Permute(1, 0), dtype.BF16, false},
		{wide.Permute(0, 1), dtype.BF16, true},
		{wide.Plus(1), dtype.F32, false},
		{experts.Slice(0, 1, 2, 1).Reshape(4, 70), dtype.F16, true},
		{experts.Permute(0, 2, 1).Slice(0, 1, 2, 1), dtype.F16, false},
		{blocks.Slice(0, 1, 3, 1), dtype.Q4_0, true},
		{blocks.Slice(1, 32, 64, 1), dtype.F32, false},
		{blocks.Slice(0, 0, 1, 1).Slice(1, 32, 64, 1), dtype.Q4_0, true}, // whole blocks
		{blocks.Slice(0, 0, 1, 1).Slice(1, 16, 48, 1), dtype.F32, false}, // blocks cut
		{blocks.Reshape(2, 128), dtype.Q4_0, true},
		{blocks.Reshape(16, 16), dtype.F32, false},
		{graph.ConcatSources(0, wide, wide), dtype.BF16, false},
		{graph.ConcatSources(0, wide), dtype.BF16, true},
		{graph.StackSources(0, blocks, blocks), dtype.F32, false},
		{graph.ConcatSources(0, wide.Reshape(384), experts.Reshape(840)), dtype.F32, false}, // BF16 and F16
		{graph.FromTensor("none").Else(wide), dtype.BF16, true},
		{graph.FromTensor("none").Plus(1).Else(wide), dtype.BF16, true},
	} {
		a, err := Resolve(c, tt.source)
		if err != nil {
			t.Errorf("%s: %v", tt.source, err)
			continue
		}
		tensor, ok := a.Raw()
		if a.DType() != tt.dtype || ok != tt.raw {
			t.Errorf("%s: %s, raw %v; want %s, %v", tt.source, a.DType(), ok, tt.dtype, tt.raw)
		}
		if n, err := tt.dtype.Bytes(a.Shape()); ok && (err != nil || n != len(tensor.Data) || tensor.File == "") {
			t.Errorf("%s: %d raw bytes of %q", tt.source, len(tensor.Data), tensor.File)
		}
	}
}

func TestRows(t *testing.T) {
	c, tensors := sources(t)
	experts := tensors["experts"]
	for _, tt := range []struct {
		source     *graph.Source
		rows, cols int
	}{
		{graph.FromTensor("experts"), 3, 280},
		{graph.FromTensor("vector"), 24, 1},
		{graph.FromTensor("scalar"), 1, 1},
		{graph.FromTensor("empty"), 0, 8},
	} {
		a, err := Resolve(c, tt.source)
		if err != nil || a.Rows() != tt.rows || a.Cols() != tt.cols {
			t.Errorf("%s: %d rows of %d, %v; want %d of %d", tt.source, a.Rows(), a.Cols(), err, tt.rows, tt.cols)
		}
		if err := a.ReadRows(nil, 0); err != nil {
			t.Errorf("%s: no rows: %v", tt.source, err)
		}
	}
	a, err := Resolve(c, graph.FromTensor("experts"))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]float32, 560)
	if err := a.ReadRows(got, 1); err != nil || !slices.Equal(got, experts.values[280:]) {
		t.Errorf("rows 1 and 2 are wrong, %v", err)
	}
	for _, tt := range []struct{ n, first int }{{1, 0}, {280, 3}, {560, 2}, {280, -1}, {280, math.MaxInt}} {
		if err := a.ReadRows(make([]float32, tt.n), tt.first); err == nil {
			t.Errorf("%d elements from row %d on were read", tt.n, tt.first)
		}
	}
	if err := a.Float32(got, 800); err == nil {
		t.Error("elements beyond the end were read")
	}
}

func TestResolveRefuses(t *testing.T) {
	c, _ := sources(t)
	matrix := graph.FromTensor("matrix")
	for _, tt := range []struct {
		name   string
		source *graph.Source
		err    string
	}{
		{"no source", nil, "missing"},
		{"no operand", &graph.Source{Op: graph.SourceConcat}, "concat of nothing"},
		{"a nil operand", matrix.Else(nil), "missing"},
		{"no tensor", graph.FromTensor("none", "nothing"), `none of the tensors ["none" "nothing"]`},
		{"no tensor to fall back on", graph.FromTensor("none").Else(graph.FromTensor("nothing")), `no tensor "none"`},
		{"a tensor of no name", &graph.Source{Op: graph.SourceTensor}, "none of the tensors"},
		{"slice beyond the end", matrix.Slice(0, 0, 7, 1), "slice(matrix, 0, 0:7:1)"},
		{"slice without a step", matrix.Slice(0, 0, 6, 0), "slice"},
		{"dimension", matrix.Slice(2, 0, 6, 1), "dimension 2"},
		{"permutation", matrix.Permute(0, 0), "no permutation"},
		{"reshape", matrix.Reshape(7, 7), "reshape of [6 8] to [7 7]"},
		{"reshape to negative dimensions", matrix.Reshape(-6, -8), "source reshape(matrix, -6 -8)"},
		{"operation", &graph.Source{Op: "transmute", Args: []*graph.Source{matrix}}, `unknown operation "transmute"`},
		{"the first alternative is wrong", matrix.Reshape(7, 7).Else(matrix), "reshape of [6 8] to [7 7]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := Resolve(c, tt.source)
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v, error %v, want %q", a, err, tt.err)
			}
		})
	}
	var missing *graph.MissingTensorError
	if _, err := Resolve(c, graph.ConcatSources(0, matrix, graph.FromTensor("none"))); !errors.As(err, &missing) {
		t.Errorf("the error for a missing tensor is %v", err)
	}
}

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	writeGGUF(t, path, nil, []tensorfile.Spec{
		{Name: "model.layers.3.mlp.up_proj.weight", DType: dtype.F16, Shape: []int{11, 4}},
		{Name: "lattice", DType: dtype.IQ2_S, Shape: []int{256}},
	}, random(1))
	c := open(t, path)
	up := graph.FromTensor("model.layers.3.mlp.up_proj.weight")
	if err := Check(c, up, []int{11, 4}); err != nil {
		t.Error(err)
	}
	many := make([]*graph.Source, 100)
	for i := range many {
		many[i] = up
	}
	for _, tt := range []struct {
		name   string
		source *graph.Source
		want   string
	}{
		{"tensor", up, `tensor "model.layers.3.mlp.up_proj.weight": shape [11 4], the graph expects [14 4]`},
		{"alternative", graph.FromTensor("none", "model.layers.3.mlp.up_proj.weight"), `tensor "model.layers.3.mlp.up_proj.weight": shape [11 4], the graph expects [14 4]`},
		{"expression", up.Permute(1, 0), `source permute(model.layers.3.mlp.up_proj.weight, 1 0): shape [4 11], the graph expects [14 4]`},
	} {
		err := Check(c, tt.source, []int{14, 4})
		var shape *ShapeError
		if err == nil || err.Error() != tt.want || !errors.As(err, &shape) {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
	if err := Check(c, graph.StackSources(0, many...), []int{1}); err == nil || len(err.Error()) > 300 {
		t.Errorf("a long source: %v", err)
	}
	if err := Check(c, graph.FromTensor("lattice"), []int{256}); err == nil || !strings.Contains(err.Error(), "IQ2_S") {
		t.Errorf("a type that cannot be read: %v", err)
	}
}

// counter counts what is read of a node.
type counter struct {
	node
	mu       sync.Mutex
	elements int
	reads    int
}

func (c *counter) read(dst []float32, offset int) error {
	c.mu.Lock()
	c.elements += len(dst)
	c.reads++
	c.mu.Unlock()
	return c.node.read(dst, offset)
}

// TestReadsNoMoreThanItMust counts the elements that are read of a [4, 6, 128]
// argument for one row of the result.
func TestReadsNoMoreThanItMust(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	writeGGUF(t, path, nil, []tensorfile.Spec{{Name: "w", DType: dtype.F32, Shape: []int{4, 6, 128}}}, random(3))
	c := open(t, path)
	tensor, _ := c.Lookup("w")
	for _, tt := range []struct {
		name     string
		build    func(arg node) node
		elements int // asked for, from offset on
		offset   int
		read     int
	}{
		{"rows", func(arg node) node { return newSlice(arg, []int{2, 6, 128}, &graph.Source{Start: 1, Stop: 3, Step: 1}) }, 128, 0, 128},
		{"every other column", func(arg node) node { return newSlice(arg, []int{4, 6, 64}, &graph.Source{Dim: 2, Stop: 128, Step: 2}) }, 64, 64, 127},
		{"long runs permuted", func(arg node) node { return newPermute(arg, []int{6, 4, 128}, []int{1, 0, 2}) }, 256, 64, 256},
		{"columns permuted within blocks", func(arg node) node { return newPermute(arg, []int{4, 128, 6}, []int{0, 2, 1}) }, 6, 768, 768},
		{"columns permuted", func(arg node) node { return newPermute(arg, []int{128, 4, 6}, []int{2, 0, 1}) }, 24, 24, 3072},
	} {
		t.Run(tt.name, func(t *testing.T) {
			count := &counter{node: tensorNode{tensor}}
			n := tt.build(count)
			for range 3 {
				count.elements, count.reads = 0, 0
				if err := n.read(make([]float32, tt.elements), tt.offset); err != nil {
					t.Fatal(err)
				}
				if count.elements != tt.read && count.elements != 0 {
					t.Errorf("%d elements were read in %d pieces, want %d", count.elements, count.reads, tt.read)
				}
			}
			if p, ok := n.(*permuteNode); ok && p.run < shortRun && count.elements != 0 {
				t.Error("a block was read twice")
			}
		})
	}
}

func TestParallelArrays(t *testing.T) {
	c, tensors := sources(t)
	for _, s := range []*graph.Source{
		graph.FromTensor("experts").Permute(0, 2, 1),
		graph.FromTensor("experts").Permute(2, 0, 1),
		graph.ConcatSources(1, graph.FromTensor("wide"), graph.FromTensor("wide").Slice(1, 0, 96, 2)),
	} {
		want, _ := evaluate(s, tensors)
		a, err := Resolve(c, s)
		if err != nil {
			t.Fatal(err)
		}
		cols := a.Cols()
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				row := make([]float32, cols)
				for j := range 2 * a.Rows() {
					r := (i + j) % a.Rows()
					if err := a.ReadRows(row, r); err != nil || !slices.Equal(row, want.values[r*cols:][:cols]) {
						t.Errorf("%s: row %d is wrong, %v", s, r, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func BenchmarkArray(b *testing.B) {
	const rows, cols = 1024, 1024
	path := filepath.Join(b.TempDir(), "x.gguf")
	writeGGUF(b, path, nil, []tensorfile.Spec{{Name: "w", DType: dtype.BF16, Shape: []int{rows, cols}}}, random(1))
	c := open(b, path)
	w := graph.FromTensor("w")
	dst := make([]float32, rows*cols)
	for _, bb := range []struct {
		name   string
		source *graph.Source
	}{
		{"tensor", w},
		{"heads interleaved", w.Reshape(16, 32, 2, cols).Permute(0, 2, 1, 3).Reshape(rows, cols)},
		{"transposed", w.Permute(1, 0)},
		{"every other column", graph.ConcatSources(1, w.Slice(1, 0, cols, 2), w.Slice(1, 1, cols, 2))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.SetBytes(4 * rows * cols) // float32 bytes
			for b.Loop() {
				a, err := Resolve(c, bb.source)
				if err != nil {
					b.Fatal(err)
				}
				if err := a.Float32(dst, 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleResolve() {
	c, err := Open("safetensors/testdata/sharded")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	// Two layers' rows in one matrix.
	s := graph.ConcatSources(0, graph.FromTensor("layers.0.weight"), graph.FromTensor("layers.1.weight"))
	a, err := Resolve(c, s)
	if err != nil {
		fmt.Println(err)
		return
	}
	row := make([]float32, a.Cols())
	if err := a.ReadRows(row, 2); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Shape(), row)
	// Output: [3 4] [104 105 106 107]
}
