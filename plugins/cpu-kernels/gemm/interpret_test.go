package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cpu-kernels/isa"
)

// Machines with AVX-512 are rare where tests run. There the other tests try its kernels;
// everywhere else these do, on an interpreter of the few instructions that the tiles
// consist of. It checks each access to memory, too.

// readAssembly is the lines of each function of a file of Go assembly.
func readAssembly(t *testing.T, file string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	functions, name := map[string][]string{}, ""
	start := regexp.MustCompile(`^TEXT ·(\w+)\(SB\)`)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if m := start.FindStringSubmatch(line); m != nil {
			name = m[1]
			continue
		}
		if name != "" && line != "" && !strings.HasPrefix(line, "//") {
			functions[name] = append(functions[name], line)
		}
	}
	return functions
}

// A processor runs the lines of a function.
type processor struct {
	general map[string]int
	vectors map[string][]float32
	flags   int // the last result: its sign and whether it is 0
	params  map[string]int
	alpha   float32
	memory  map[int][]float32 // by the address of the first element
}

// run executes lines until RET.
func (p *processor) run(lines []string) (err error) {
	labels := map[string]int{}
	for i, line := range lines {
		if name, ok := strings.CutSuffix(line, ":"); ok {
			labels[name] = i
		}
	}
	at := 0
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: %v", lines[at], v)
		}
	}()
	for ; lines[at] != "RET"; at++ {
		op, rest, _ := strings.Cut(lines[at], " ")
		if strings.HasSuffix(op, ":") {
			continue
		}
		args := strings.Split(strings.TrimSpace(rest), ", ")
		if to, jump := p.jump(op, args[0], labels); jump {
			at = to
		} else if !p.integers(op, args) && !p.floats(op, args) {
			return fmt.Errorf("%s: an instruction that the interpreter does not know", lines[at])
		}
	}
	return nil
}

// jump is where a jump goes, if op is one that is taken.
func (p *processor) jump(op, label string, labels map[string]int) (int, bool) {
	taken := map[string]bool{"JMP": true, "JL": p.flags < 0, "JE": p.flags == 0, "JNE": p.flags != 0}[op]
	return labels[label], taken
}

// integers executes an instruction on general registers; false if op is none.
func (p *processor) integers(op string, a []string) bool {
	last := a[len(a)-1]
	switch op {
	case "JL", "JE", "JNE", "VZEROUPPER", "PREFETCHT0": // not taken, or without effect here
		return true
	case "MOVQ", "MOVBQZX":
		p.general[last] = p.integer(a[0])
		return true
	case "LEAQ":
		p.general[last] = p.address(a[0])
		return true
	case "SHLQ":
		p.general[last] <<= p.integer(a[0])
	case "ADDQ":
		p.general[last] += p.integer(a[0])
	case "SUBQ":
		p.general[last] -= p.integer(a[0])
	case "DECQ":
		p.general[last]--
	case "TESTQ":
	default:
		return false
	}
	p.flags = p.general[last]
	return true
}

// floats executes an instruction on vectors; false if op is none.
func (p *processor) floats(op string, a []string) bool {
	last := a[len(a)-1]
	n := lanesOf(a)
	switch op {
	case "VXORPS", "VPXORD":
		if a[0] != last || a[1] != last {
			panic("only for zeros")
		}
		p.vectors[last] = make([]float32, n)
	case "VBROADCASTSS":
		x := p.alpha
		if !strings.HasSuffix(a[0], "(FP)") {
			x = p.place(a[0], 1)[0]
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = x
		}
		p.vectors[last] = v
	case "VMOVUPS":
		if strings.HasSuffix(last, ")") {
			copy(p.place(last, n), p.vectors[a[0]])
		} else {
			p.vectors[last] = append([]float32{}, p.place(a[0], n)...)
		}
	case "VMULPS":
		p.each(last, n, func(i int) float32 { return p.vectors[a[0]][i] * p.vectors[a[1]][i] })
	case "VFMADD231PS": // last += first·second
		p.each(last, n, func(i int) float32 { return fused(p.vectors[a[0]][i], p.vectors[a[1]][i], p.vectors[last][i]) })
	case "VFMADD213PS": // last = last·second + first
		c := p.place(a[0], n)
		p.each(last, n, func(i int) float32 { return fused(p.vectors[last][i], p.vectors[a[1]][i], c[i]) })
	default:
		return false
	}
	return true
}

func (p *processor) each(to string, n int, f func(i int) float32) {
	v := make([]float32, n)
	for i := range v {
		v[i] = f(i)
	}
	p.vectors[to] = v
}

func fused(a, b, c float32) float32 { return float32(math.FMA(float64(a), float64(b), float64(c))) }

// lanesOf is the number of lanes of an instruction: all its registers are of a kind.
func lanesOf(args []string) int {
	for _, a := range args {
		switch a[0] {
		case 'Y':
			return 8
		case 'Z':
			return 16
		}
	}
	return 0
}

// integer is the value of a register, a constant or a parameter.
func (p *processor) integer(arg string) int {
	if c, ok := strings.CutPrefix(arg, "$"); ok {
		v, err := strconv.ParseInt(c, 0, 64)
		if err != nil {
			panic(err)
		}
		return int(v)
	}
	if name, ok := strings.CutSuffix(arg, "(FP)"); ok {
		name, _, _ = strings.Cut(name, "+")
		v, ok := p.params[name]
		if !ok {
			panic("no parameter " + name)
		}
		return v
	}
	v, ok := p.general[arg]
	if !ok {
		panic("nothing in register " + arg)
	}
	return v
}

// address is that of an operand: displacement(base)(index*scale).
func (p *processor) address(arg string) int {
	m := regexp.MustCompile(`^(-?\d*)\((\w+)\)(?:\((\w+)\*(\d)\))?$`).FindStringSubmatch(arg)
	if m == nil {
		panic("the address " + arg)
	}
	displacement, _ := strconv.Atoi(m[1])
	at := displacement + p.integer(m[2])
	if m[3] != "" {
		scale, _ := strconv.Atoi(m[4])
		at += scale * p.integer(m[3])
	}
	return at
}

// place is n elements of memory.
func (p *processor) place(arg string, n int) []float32 {
	at := p.address(arg)
	for first, values := range p.memory {
		if i := (at - first) / 4; at >= first && (at-first)%4 == 0 && i+n <= len(values) {
			return values[i : i+n]
		}
	}
	panic(fmt.Sprintf("%d elements at %#x are not in memory", n, at))
}

// TestTilesInterpreted runs each kernel's assembly on small tiles. That the AVX2 kernels
// pass shows, as they run elsewhere in earnest, that the interpreter is right.
func TestTilesInterpreted(t *testing.T) {
	functions := readAssembly(t, "gemm_amd64.s")
	for _, v := range []vectorsOf{{"AVX2", 8, 6}, {"AVX512", 16, 12}} {
		for width := 1; width <= 2; width++ {
			for rows := 1; rows <= v.rows; rows++ {
				name := fmt.Sprintf("tile%sx%dx%d", v.name, rows, width)
				t.Run(name, func(t *testing.T) {
					lines := functions[name]
					if lines == nil {
						t.Fatal("not in the file")
					}
					for _, k := range []int{1, 2, 3, 4, 5, 8, 11} {
						for _, transposed := range []bool{false, true} {
							interpretTile(t, lines, rows, width*v.lanes, k, transposed, k%2 == 0)
						}
					}
				})
			}
		}
	}
}

// vectorsOf are the registers of an instruction set, and the rows of its largest tile.
type vectorsOf struct {
	name        string
	lanes, rows int
}

// interpretTile runs one kernel, with memory that ends where the tile does.
func interpretTile(t *testing.T, lines []string, rows, columns, k int, transposed, accumulate bool) {
	t.Helper()
	const aAt, bAt, cAt, pad = 1 << 20, 1 << 21, 1 << 22, 5
	r := rand.New(rand.NewPCG(uint64(rows), uint64(k)))
	random := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = r.Float32() - 0.5
		}
		return x
	}
	rowStep, columnStep, bStep, cStep := k+pad, 1, columns+3, columns+pad
	if transposed {
		rowStep, columnStep = 1, rows+pad
	}
	a, b, c := random((rows-1)*rowStep+(k-1)*columnStep+1), random((k-1)*bStep+columns), random((rows-1)*cStep+columns)
	before := append([]float32{}, c...)
	p := &processor{
		general: map[string]int{}, vectors: map[string][]float32{}, alpha: 0.75,
		params: map[string]int{"k": k, "a": aAt, "rowStep": rowStep, "columnStep": columnStep, "b": bAt, "bStep": bStep, "c": cAt, "cStep": cStep, "accumulate": 0},
		memory: map[int][]float32{aAt: a, bAt: b, cAt: c},
	}
	if accumulate {
		p.params["accumulate"] = 1
	}
	if err := p.run(lines); err != nil {
		t.Fatal(err)
	}
	for i := range c {
		row, column := i/cStep, i%cStep
		want := float64(before[i])
		if column < columns {
			sum := 0.0
			for l := range k {
				sum += float64(a[row*rowStep+l*columnStep]) * float64(b[l*bStep+column])
			}
			if sum *= 0.75; accumulate {
				want += sum
			} else {
				want = sum
			}
		}
		if math.Abs(float64(c[i])-want) > 1e-6 {
			t.Fatalf("k = %d: row %d, column %d: got %v, want %v", k, row, column, c[i], want)
		}
	}
}

// TestSizesOfAVX512 multiplies with tiles of AVX-512's sizes in plain Go: what is around
// the kernels does not depend on the instruction set.
func TestSizesOfAVX512(t *testing.T) {
	k := genericKernels()
	k.rows, k.columns, k.vector = 12, 32, 16
	for width := range 2 {
		k.tiles[width] = nil
		for rows := 1; rows <= k.rows; rows++ {
			k.tiles[width] = append(k.tiles[width], plainTile(rows, (width+1)*k.vector))
		}
	}
	m, err := New(nil, isa.Generic)
	if err != nil {
		t.Fatal(err)
	}
	m.kernels = k
	for n, shape := range shapes {
		for way := range 4 {
			kind := kinds[(n+way)%4]
			t.Run(fmt.Sprint(shape, way, kind), func(t *testing.T) {
				mem := ordinary(uint64(n))
				a := mem.matrix(shape[0], shape[2], n%3, way&1 != 0, "float32")
				b := mem.matrix(shape[2], shape[1], (n+1)%4, way&2 != 0, kind)
				check(t, m, mem, a, b, 1, false)
				check(t, m, mem, a, b, -0.75, true)
			})
		}
	}
}

// plainTile is the definition of a kernel.
func plainTile(rows, columns int) tileFunc {
	return func(k int, a *float32, rowStep, columnStep int, b *float32, bStep int, c *float32, cStep int, alpha float32, accumulate bool) {
		as, bs, cs := at(a, (rows-1)*rowStep+(k-1)*columnStep+1), at(b, (k-1)*bStep+columns), at(c, (rows-1)*cStep+columns)
		for i := range rows {
			for j := range columns {
				sum := float32(0)
				for l := range k {
					sum += as[i*rowStep+l*columnStep] * bs[l*bStep+j]
				}
				if sum *= alpha; accumulate {
					sum += cs[i*cStep+j]
				}
				cs[i*cStep+j] = sum
			}
		}
	}
}
