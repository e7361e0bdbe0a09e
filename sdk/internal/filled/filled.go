// Package filled fills structs with values that are not zero, for tests that hold
// what comes out of a wire to what went in: a field that somebody forgot is zero
// then.
package filled

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/honeml/hone/sdk/graph"
)

// maxDepth is how deep pointers, slices and maps nest before they stay nil.
const maxDepth = 6

// New is a T of which every exported field, element and key holds a random value
// that is not zero. Interfaces hold operations of the Graph, or what JSON can hold.
func New[T any](rng *rand.Rand) T {
	var v T
	fill(rng, reflect.ValueOf(&v).Elem(), 0)
	return v
}

func fill(rng *rand.Rand, v reflect.Value, depth int) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Unix(rng.Int64N(1<<32), rng.Int64N(1e9))))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(rng, v.Field(i), depth)
			}
		}
	case reflect.Pointer:
		if depth < maxDepth {
			v.Set(reflect.New(v.Type().Elem()))
			fill(rng, v.Elem(), depth+1)
		}
	case reflect.Slice:
		if depth < maxDepth {
			n := 1 + rng.IntN(3)
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(rng, v.Index(i), depth+1)
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(rng, key, depth+1)
			fill(rng, value, depth+1)
			v.SetMapIndex(key, value)
		}
	case reflect.Interface:
		fillInterface(rng, v, depth)
	default:
		fillPlain(rng, v)
	}
}

func fillPlain(rng *rand.Rand, v reflect.Value) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprintf("s%d", rng.IntN(1e6)))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Uint8:
		v.SetUint(1 + rng.Uint64N(255))
	case v.CanInt():
		v.SetInt(1 + int64(rng.Uint32N(1<<30)))
	case v.CanUint():
		v.SetUint(1 + rng.Uint64()>>1)
	case v.CanFloat():
		v.SetFloat(float64(float32(0.5 + rng.Float64())))
	default:
		panic("filled: a field of type " + v.Type().String())
	}
}

func fillInterface(rng *rand.Rand, v reflect.Value, depth int) {
	if v.Type() == reflect.TypeFor[graph.Op]() {
		ops := Ops(rng)
		v.Set(reflect.ValueOf(ops[rng.IntN(len(ops))]))
		return
	}
	values := []any{"text", 1.5, true}
	if depth < maxDepth {
		values = append(values, []any{"a", 2.0}, map[string]any{"k": false})
	}
	v.Set(reflect.ValueOf(values[rng.IntN(len(values))]))
}

// Ops are all operations of the Graph, each with all its fields filled.
func Ops(rng *rand.Rand) []graph.Op {
	ops := []graph.Op{
		new(graph.Embed), new(graph.Linear), new(graph.Norm), new(graph.RoPE), new(graph.Attention), new(graph.Map),
		new(graph.Split), new(graph.Concat), new(graph.Conv), new(graph.Route), new(graph.ExpertLinear), new(graph.Combine),
	}
	for _, op := range ops {
		fill(rng, reflect.ValueOf(op).Elem(), 0)
	}
	return ops
}
