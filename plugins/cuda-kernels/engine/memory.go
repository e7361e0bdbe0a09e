package engine

import (
	"fmt"

	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/sdk/kernels"
)

// A span is a piece of the arena.
type span struct{ offset, bytes int64 }

// An arena is the memory of a plan, laid out span after span.
type arena struct {
	size  int64
	items []kernels.MemoryItem
}

// take lays out the next bytes, accounted to a category.
func (a *arena) take(category string, bytes int64) span {
	s := span{a.size, bytes}
	bytes = device.Align(bytes)
	a.size += bytes
	for i := range a.items {
		if a.items[i].Category == category {
			a.items[i].Bytes += bytes
			return s
		}
	}
	a.items = append(a.items, kernels.MemoryItem{Category: category, Bytes: bytes})
	return s
}

// at is a span's address once the arena exists.
func (e *Engine) at(s span) device.Pointer {
	if s.bytes == 0 {
		return 0
	}
	return e.arena.Offset(s.offset)
}

// A scratch is memory for the length of one node's work, given out piece by piece.
type scratch struct {
	next, end device.Pointer
}

// need is what pieces take of a scratch.
func need(pieces ...int64) int64 {
	total := int64(0)
	for _, p := range pieces {
		total += device.Align(p)
	}
	return total
}

// take gives the next bytes. Running out means that a node's need was reckoned
// wrongly; it ends the step with an error.
func (c *call) take(bytes int64) device.Pointer {
	p := c.scratch.next
	c.scratch.next += device.Pointer(device.Align(bytes))
	if c.scratch.next > c.scratch.end {
		c.q.Fail(fmt.Errorf("the workspace is %d bytes too small: please report this", c.scratch.next-c.scratch.end))
	}
	return p
}

// lend is the next bytes for one kernel: what comes after it may have them too.
func (c *call) lend(bytes int64) device.Pointer {
	before := c.scratch
	p := c.take(bytes)
	c.scratch = before
	return p
}

// bytesText is a size as people read it.
func bytesText(n int64) string { return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30)) }
