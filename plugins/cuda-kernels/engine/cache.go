package engine

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/graph"
)

// A cache is the batch's view of what earlier tokens of the sequences left. Each node
// that looks back keeps its inputs as rows [sequences·length, width], the token at a
// position of a sequence at sequence·length + position.
//
// The rows of a batch are one prompt, or the next token of every sequence, row i that
// of sequence i.
type cache struct {
	prompt    bool
	sequences int
	length    int            // tokens of a sequence
	row       device.Pointer // int32 [rows]: the row of the cache that a row goes to; −1 for none
	tokens    device.Pointer // int32 [rows]: how many tokens the row's sequence has, itself included
	back      map[int]window // by the length of a convolution
}

// A window is how the last tokens of sequences are laid out as documents of their
// own: k rows for each.
type window struct {
	row      device.Pointer // int32 [rows·k]: rows of the cache; −1 before a sequence's begin
	docStart device.Pointer // int32 [rows·k]
	last     device.Pointer // int32 [rows]: the last row of each document
}

// cacheSlot is what a node keeps for each token.
type cacheSlot struct {
	width int
	t     device.Type
}

// addCache gives a node a place in the cache.
func (e *Engine) addCache(width int, t device.Type) int {
	e.cacheSlots = append(e.cacheSlots, cacheSlot{width, t})
	return len(e.cacheSlots) - 1
}

// slotBytes is the memory of one node's place.
func (e *Engine) slotBytes(s cacheSlot) int64 {
	tokens := int64(e.phases.GenerateSequences) * int64(e.phases.GenerateLength)
	return device.Align(tokens * int64(s.width) * s.t.Size())
}

func (e *Engine) cacheBytes() int64 {
	total := int64(0)
	for _, s := range e.cacheSlots {
		total += e.slotBytes(s)
	}
	return total
}

// cacheAt is where a node's place begins.
func (e *Engine) cacheAt(slot int) device.Pointer {
	at := e.at(e.cacheSpan)
	for _, s := range e.cacheSlots[:slot] {
		at = at.Offset(e.slotBytes(s))
	}
	return at
}

// windowLengths are the lengths of the Graph's convolutions, each once.
func (e *Engine) windowLengths() []int {
	var out []int
	seen := map[int]bool{}
	for _, n := range e.g.Nodes {
		if o, ok := n.Op.(*graph.Conv); ok && !seen[o.Kernel] {
			seen[o.Kernel] = true
			out = append(out, o.Kernel)
		}
	}
	return out
}

// viewBytes is the memory of a batch's view of the cache: a prompt's, or that of a
// token of each sequence.
func (e *Engine) viewBytes() int64 {
	if e.phases.GenerateSequences == 0 {
		return 0
	}
	words := 2
	for _, k := range e.windowLengths() {
		words += 2*k + 1
	}
	return 4 * int64(max(2*bucket(e.phases.GenerateLength), words*bucket(e.phases.GenerateSequences)))
}
