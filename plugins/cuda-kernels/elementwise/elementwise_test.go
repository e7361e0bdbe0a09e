package elementwise

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/expr"
)

func TestEveryOperationHasAText(t *testing.T) {
	for op := expr.Add; op <= expr.Where; op++ {
		text := operation(expr.Instr{Op: op, A: 10, B: 11, C: 12})
		if !strings.Contains(text, "r10") {
			t.Errorf("%s: %q", op, text)
		}
	}
}

func TestFunction(t *testing.T) {
	e, err := expr.Parse("where(a > 0, 0.1 * a, pos)", []string{"b", "a"})
	if err != nil {
		t.Fatal(err)
	}
	want := `__device__ __forceinline__ void compute(float x1, float pos, float &out0) {
    const float r0 = x1;
    const float r1 = __uint_as_float(0x00000000u);
    const float r2 = r0 > r1 ? 1.0f : 0.0f;
    const float r3 = __uint_as_float(0x3dcccccdu);
    const float r4 = r3 * r0;
    const float r5 = pos;
    const float r6 = r2 != 0.0f ? r4 : r5;
    out0 = r6;
}
`
	if got := newCode(e.Root).function(); got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestEqualNodesAreOne: nodes that differ by names alone share their kernels.
func TestEqualNodesAreOne(t *testing.T) {
	set := &device.Set{}
	for _, name := range []string{"a", "gate"} {
		m := &graph.Map{Expr: "silu(" + name + ")", Width: 64, Args: []graph.MapArg{{Name: name, Param: graph.NoParam}}}
		if _, err := New(set, Spec{Map: m, Inputs: []Input{{64, device.BFloat16}}, ParamWidths: []int{0}, Out: device.BFloat16}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(set.Sources()); n != 1 {
		t.Errorf("%d sources", n)
	}
}

func TestVector(t *testing.T) {
	var deep strings.Builder
	deep.WriteString("a")
	for i := range 200 {
		fmt.Fprintf(&deep, " + exp(a * 1.%d)", i)
	}
	for _, test := range []struct {
		text  string
		width int
		typ   device.Type
		want  int
	}{
		{"a + b", 7, device.BFloat16, 8}, // no row is told from the next
		{"a + b", 7, device.Float32, 4},
		{"a + r", 7, device.BFloat16, 1},
		{"a * c", 12, device.Float16, 4},
		{"a + pos", 64, device.BFloat16, 8},
		{"a + r", 6, device.Float32, 2},
		{"a + exp(a * 1.5) * a", 64, device.BFloat16, 8},
		{deep.String(), 64, device.BFloat16, 1},
	} {
		spec, err := specimen(test.text, test.width, test.typ)
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(&device.Set{}, spec)
		if err != nil {
			t.Fatal(err)
		}
		if m.forward.vector != test.want {
			t.Errorf("%.20s, width %d, %v: vectors of %d, want %d", test.text, test.width, test.typ, m.forward.vector, test.want)
		}
	}
}

func TestWorkspace(t *testing.T) {
	for _, test := range []struct {
		text        string
		width, rows int
		want        int64
	}{
		{"a + b", 4096, 8192, 0},
		{"a * s", 4096, 1, 2 * 8},            // two blocks of 256 threads of 8 elements
		{"a * s", 4096, 8192, 1024 * 8},      // as many blocks as there may be
		{"a * c", 4096, 64, 4096 * 4},        // one share of 64 rows
		{"a * c", 4096, 8192, 32 * 4096 * 4}, // 16 blocks across, 512 in all
		{"a * c", 7, 8192, 7 * 128 * 4},
	} {
		spec, err := specimen(test.text, test.width, device.BFloat16)
		if err != nil {
			t.Fatal(err)
		}
		m, err := New(&device.Set{}, spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Workspace(test.rows); got != test.want {
			t.Errorf("%s, width %d, %d rows: %d bytes, want %d", test.text, test.width, test.rows, got, test.want)
		}
	}
}

func TestSpecOf(t *testing.T) {
	b := graph.New("Test")
	x := b.Embed("table", 10, 6)
	y := b.Map("y", "a * r + c * s", graph.In("a", x), graph.In("r", b.Linear(x, "router", 2, graph.RoleHead, graph.Float32Out())),
		graph.Par("c", b.Param("c", []int{6}, graph.RoleNorm)), graph.Par("s", b.Param("s", []int{1}, graph.RoleNorm)))
	b.Logits(y)
	g, err := b.Graph()
	if err != nil {
		t.Fatal(err)
	}
	types := func(v *graph.Value) device.Type {
		if v.Type == graph.Float32 {
			return device.Float32
		}
		return device.BFloat16
	}
	node := g.Nodes[g.Value(g.Logits).Node]
	s, err := SpecOf(g, node, types, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.Inputs, s.ParamWidths, s.Out, s.Slots), "[{6 bfloat16} {2 float32}] [0 0 6 1] bfloat16 1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := SpecOf(g, g.Nodes[0], types, nil); err == nil || !strings.Contains(err.Error(), "embed") {
		t.Errorf("an embed: %v", err)
	}
}

func TestMistakes(t *testing.T) {
	many := &graph.Map{Width: 8, Expr: "0"}
	spec := Spec{Map: many}
	for i := range 65 {
		name := fmt.Sprintf("x%d", i)
		many.Expr += " + " + name
		many.Args = append(many.Args, graph.MapArg{Name: name, Input: i, Param: graph.NoParam})
		spec.Inputs = append(spec.Inputs, Input{Width: 8})
		spec.ParamWidths = append(spec.ParamWidths, 0)
	}
	if _, err := New(&device.Set{}, spec); !errors.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "65 arguments") {
		t.Errorf("65 arguments: %v", err)
	}
	one := func(width int, arg graph.MapArg, in []Input, params []int) Spec {
		return Spec{Map: &graph.Map{Expr: "a", Width: width, Args: []graph.MapArg{arg}}, Inputs: in, ParamWidths: params}
	}
	input, param := graph.MapArg{Name: "a", Param: graph.NoParam}, graph.MapArg{Name: "a", Input: -1}
	for _, test := range []struct {
		name string
		spec Spec
		want string
	}{
		{"no width", one(0, input, []Input{{Width: 1}}, []int{0}), "width 0"},
		{"a width that does not divide", one(6, input, []Input{{Width: 4}}, []int{0}), `argument "a" has width 4, which does not divide 6`},
		{"no input", one(6, input, nil, []int{0}), `argument "a" has width 0`},
		{"a parameter's width", one(6, param, nil, []int{3}), `parameter "a" has 3 elements, want 1 or 6`},
		{"no parameter's width", one(6, param, nil, nil), `argument "a" has width 0`},
	} {
		if _, err := New(&device.Set{}, test.spec); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	broken := one(6, input, []Input{{Width: 6}}, []int{0})
	broken.Map.Expr = "a +"
	if _, err := New(&device.Set{}, broken); !errors.Is(err, fault.InvalidModel) {
		t.Errorf("a broken expression: %v", err)
	}
}
