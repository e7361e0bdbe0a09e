package attention

import (
	_ "embed"
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
	"github.com/honeml/hone/sdk/graph"
)

// The kernels' sources; doc.go says what each is for.
var (
	//go:embed mask.cuh
	maskText string
	//go:embed score.cuh
	scoreText string
	//go:embed tile.cuh
	tileText string
	//go:embed forward.cu
	forwardText string
	//go:embed backward.cu
	backwardText string
	//go:embed delta.cu
	deltaText string
	//go:embed plain.cu
	plainText string
	//go:embed decode.cu
	decodeText string

	//go:embed warpgroup.cuh
	warpgroupText string
	//go:embed tile_rows.cuh
	tileRowsText string
	//go:embed hopper_forward.cu
	hopperForwardText string
	//go:embed tile_keys.cuh
	tileKeysText string
	//go:embed hopper_keys.cu
	hopperKeysText string
	//go:embed hopper_wide_keys.cu
	hopperWideKeysText string
	//go:embed hopper_queries.cu
	hopperQueriesText string
)

// LeastShared is the shared memory in bytes that each GPU since sm_80 lends a block.
const LeastShared = 99 << 10

// A Spec is what an Attention is compiled for.
type Spec struct {
	Op   graph.Attention
	Type device.Type // of queries, keys, values, the result and their gradients

	// Shared is the shared memory in bytes that the GPU lends a block; 0 is
	// LeastShared. More of it makes larger tiles possible.
	Shared int

	// Arch is the GPU's, of device.GPU.Arch. Heads of 64, 128 or 256 columns have kernels
	// of their own where it is device.HopperArch.
	Arch string
}

// An Attention is the kernels of one operation. What its methods launch must not run
// at the same time twice, as it does not on one queue.
type Attention struct {
	spec   Spec
	flash  bool // on tensor cores
	hopper bool // by the kernels for Hopper

	forwardTiles, keyTiles, queryTiles tiles

	forward, delta, keys, queries *device.Kernel
	values                        *device.Kernel // where keys is for their own gradient alone; or nil
	sinks, sinksSum               *device.Kernel
}

// New asks a set for the kernels of the forward and the backward pass.
func New(set *device.Set, spec Spec) *Attention {
	if spec.Shared == 0 {
		spec.Shared = LeastShared
	}
	a := &Attention{spec: spec, hopper: spec.onHopper()}
	a.choose()
	delta := device.Source{Name: "attention/delta.cu", Text: maskText + deltaText, Defines: append(spec.defines(), a.deltaDefines()...)}
	a.delta = set.Kernel(delta, "attention_delta")
	if a.hasSinks() {
		a.sinks = set.Kernel(delta, "attention_sinks")
		a.sinksSum = set.Kernel(delta, "attention_sinks_sum")
	}
	if !a.flash {
		plain := a.source("attention/plain.cu", plainText, a.plainDefines()...)
		a.forward = set.Kernel(plain, "attention_forward")
		a.keys = set.Kernel(plain, "attention_keys")
		a.queries = set.Kernel(plain, "attention_queries")
		return a
	}
	if a.hopper {
		a.addHopper(set)
		return a
	}
	a.forward = set.Kernel(a.source("attention/forward.cu", device.PTX+scoreText+tileText+forwardText, a.forwardTiles.defines()...), "attention_forward")
	backward := device.PTX + scoreText + tileText + backwardText
	a.keys = set.Kernel(a.source("attention/backward.cu", backward, append(a.keyTiles.defines(), "KEYS_PASS=1")...), "attention_keys")
	a.queries = set.Kernel(a.source("attention/backward.cu", backward, append(a.queryTiles.defines(), "KEYS_PASS=0")...), "attention_queries")
	return a
}

func (a *Attention) source(name, text string, defines ...string) device.Source {
	return device.Source{Name: name, Text: maskText + text, Defines: append(a.spec.defines(), defines...)}
}

func (a *Attention) hasSinks() bool { return a.spec.Op.Sinks != graph.NoParam }

// defines specialise every source: the operation and the type.
func (s Spec) defines() []string {
	o := s.Op
	return []string{
		"TYPE=" + s.Type.C(),
		define("BF16", truth(s.Type == device.BFloat16)),
		define("HEADS", o.Heads),
		define("KV_HEADS", o.KVHeads),
		define("KEY_WIDTH", o.KeyWidth),
		define("VALUE_WIDTH", o.ValueWidth),
		rows.DefineFloat("SCALE", o.Scale),
		define("WINDOW", reach(o.Window)),
		define("CHUNK", reach(o.Chunk)),
		rows.DefineFloat("CAP", o.Cap),
		define("SINKS", truth(o.Sinks != graph.NoParam)),
	}
}

func define(name string, value int) string { return fmt.Sprintf("%s=%d", name, value) }

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// reach is a window or a chunk as the kernels take it: one that no document is as
// long as is none.
func reach(n int) int {
	if n >= 1<<30 {
		return 0
	}
	return n
}
