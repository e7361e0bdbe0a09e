package main

import (
	"slices"
	"strings"

	"github.com/honeml/hone/plugins/cuda-kernels/cuda"
	"github.com/honeml/hone/plugins/cuda-kernels/engine"
	"github.com/honeml/hone/sdk/kernels"
)

// A card is a GPU that plans can be made for without one: what its driver says of it.
type card struct {
	name string // as people write it
	arch string // of device.GPU.Arch
	cuda.Device
}

const mib = 1 << 20

// cards are the data centre's and the desk's that people train on most. A name that
// another begins with stands behind that.
var cards = []card{
	{"H200", "sm_90a", cuda.Device{Name: "NVIDIA H200", Major: 9, SMs: 132, SharedPerBlock: 227 << 10, ClockKHz: 1980e3, MemoryClockKHz: 3201e3, MemoryBusBits: 6144, TotalMemory: 143771 * mib}},
	{"H100", "sm_90a", cuda.Device{Name: "NVIDIA H100 80GB HBM3", Major: 9, SMs: 132, SharedPerBlock: 227 << 10, ClockKHz: 1980e3, MemoryClockKHz: 2619e3, MemoryBusBits: 5120, TotalMemory: 81559 * mib}},
	{"A100-40", "sm_80", cuda.Device{Name: "NVIDIA A100-SXM4-40GB", Major: 8, SMs: 108, SharedPerBlock: 163 << 10, ClockKHz: 1410e3, MemoryClockKHz: 1215e3, MemoryBusBits: 5120, TotalMemory: 40960 * mib}},
	{"A100", "sm_80", cuda.Device{Name: "NVIDIA A100-SXM4-80GB", Major: 8, SMs: 108, SharedPerBlock: 163 << 10, ClockKHz: 1410e3, MemoryClockKHz: 1593e3, MemoryBusBits: 5120, TotalMemory: 81920 * mib}},
	{"L40S", "sm_89", cuda.Device{Name: "NVIDIA L40S", Major: 8, Minor: 9, SMs: 142, SharedPerBlock: 99 << 10, ClockKHz: 2520e3, MemoryClockKHz: 9001e3, MemoryBusBits: 384, TotalMemory: 46068 * mib}},
	{"RTX 4090", "sm_89", cuda.Device{Name: "NVIDIA GeForce RTX 4090", Major: 8, Minor: 9, SMs: 128, SharedPerBlock: 99 << 10, ClockKHz: 2520e3, MemoryClockKHz: 10501e3, MemoryBusBits: 384, TotalMemory: 24564 * mib}},
	{"RTX 3090", "sm_86", cuda.Device{Name: "NVIDIA GeForce RTX 3090", Major: 8, Minor: 6, SMs: 82, SharedPerBlock: 99 << 10, ClockKHz: 1695e3, MemoryClockKHz: 9751e3, MemoryBusBits: 384, TotalMemory: 24576 * mib}},
}

// findCard is the card of a name, whatever its case and however much is written of it:
// "h100", "NVIDIA H100 80GB HBM3", "4090".
func findCard(name string) (card, bool) {
	asked := plain(name)
	if asked == "" {
		return card{}, false
	}
	for _, fits := range []func(c card) bool{
		func(c card) bool { return plain(c.Name) == asked },
		func(c card) bool { return strings.Contains(asked, plain(c.name)) },
		func(c card) bool { return strings.Contains(plain(c.Name), asked) },
	} {
		if i := slices.IndexFunc(cards, fits); i >= 0 {
			return cards[i], true
		}
	}
	return card{}, false
}

// plain is a name without what people write in many ways.
func plain(name string) string {
	return strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(name))
}

// cardNames are what plans can be made for.
func cardNames() string {
	var names []string
	for _, c := range cards {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// assume fills in what a card has, for a plan without it.
func (c card) assume(o *engine.Options) {
	o.Device = kernels.Device{Kind: "cuda", Name: c.Name, MemoryBytes: c.TotalMemory}
	fit(o, c.Device, c.arch, c.TotalMemory)
}
