package jinja

import (
	"context"
	"fmt"
)

// Limits bound one rendering. Zero fields take the defaults.
type Limits struct {
	// Steps is how many expressions, statements and items of loops are
	// evaluated, work on long strings included. Default 20 million, a few
	// seconds; a chat of a thousand messages takes some 100,000.
	Steps int
	// Bytes is how much all strings and lists that the template builds may
	// take together, whether or not they are still in use. Default 512 MiB.
	Bytes int
	// Depth is how deep macros, recursive loops and nested values may go.
	// Default 200.
	Depth int
}

const (
	defaultSteps = 20_000_000
	defaultBytes = 512 << 20
	defaultDepth = 200

	// maxRange is the most items that range() may have; jinja2's sandbox has
	// the same limit.
	maxRange = 100_000
	// maxSource is the longest template, in bytes. The largest known chat
	// templates have some 30,000.
	maxSource = 2 << 20
	// maxNesting bounds nested blocks and expressions while parsing.
	maxNesting = 150
	// maxChain bounds operators, filters and attributes in one chain.
	maxChain = 1000
)

func (l Limits) withDefaults() Limits {
	if l.Steps <= 0 {
		l.Steps = defaultSteps
	}
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	if l.Depth <= 0 {
		l.Depth = defaultDepth
	}
	return l
}

// budget is what is left of the limits of one rendering.
type budget struct {
	ctx    context.Context
	limits Limits
	steps  int // used
	bytes  int // used
	depth  int // current
	poll   int // steps at which the context is looked at next
}

const pollEvery = 2048

// unbounded is a budget for work whose size is known to be sound.
func unbounded() budget {
	return budget{ctx: context.Background(), limits: Limits{Steps: 1 << 62, Bytes: 1 << 62, Depth: 2 * maxJSONDepth}}
}

// step counts n units of work.
func (b *budget) step(n int) error {
	b.steps += n
	if b.steps < b.poll {
		return nil
	}
	b.poll = b.steps + pollEvery
	if err := b.ctx.Err(); err != nil {
		return &failure{kind: Runtime, text: fmt.Sprintf("rendering stopped: %v", err), cause: err}
	}
	if b.steps > b.limits.Steps {
		return limitf("the template takes more than %d steps", b.limits.Steps)
	}
	return nil
}

// grow counts n bytes about to be built, and the work to build them. n may be
// any product of sizes that did not overflow.
func (b *budget) grow(n int) error {
	if n < 0 || n > b.limits.Bytes-b.bytes {
		return limitf("the template builds more than %d bytes", b.limits.Bytes)
	}
	b.bytes += n
	return b.step(n / 64)
}

// valueBytes is what an item of a list is taken to weigh.
const valueBytes = 32

// growItems counts n items of a list about to be built.
func (b *budget) growItems(n int) error {
	if n < 0 || n > b.limits.Bytes/valueBytes {
		return limitf("the template builds more than %d bytes", b.limits.Bytes)
	}
	if err := b.step(n / 4); err != nil {
		return err
	}
	return b.grow(n * valueBytes)
}

// repeated is the size of count copies of size bytes, or a limit's error.
func (b *budget) repeated(size, count int) (int, error) {
	if size <= 0 || count <= 0 {
		return 0, nil
	}
	if size > b.limits.Bytes/count {
		return 0, limitf("the template builds more than %d bytes", b.limits.Bytes)
	}
	return size * count, nil
}

// enter goes one level deeper; leave undoes it.
func (b *budget) enter() error {
	if b.depth >= b.limits.Depth {
		return limitf("the template nests calls or values more than %d levels deep", b.limits.Depth)
	}
	b.depth++
	return nil
}

func (b *budget) leave() { b.depth-- }
