package experts

import (
	"github.com/honeml/hone/plugins/cuda-kernels/device"
	"github.com/honeml/hone/plugins/cuda-kernels/rows"
)

// The passes of product.cuh.
const (
	rowsPass = iota
	columnsPass
	sumsPass
)

// tiles is how a product is cut up: a block has rows by columns of the result.
type tiles struct {
	pass                    int
	rows, columns           int
	rowWarps, columnWarps   int
	deep                    int // of the sum, in a stage
	stages                  int // in shared memory
	threads, shared, blocks int // blocks that a multiprocessor has at a time
}

// side is the rows and columns of a block without tensor cores.
const side = 64

// rowsOfBlock is how many slots a block on tensor cores has.
const rowsOfBlock = 128

// tileRows is how many slots of an expert a block has.
func tileRows(t device.Type) int {
	if t == device.Float32 {
		return side
	}
	return rowsOfBlock
}

// tilesOf are the tiles for results of so many columns. A warp of a wide one has 64 by
// 64 numbers, the most by which shared memory keeps up with the tensor cores; narrow
// ones, which adapters have, are bound by memory.
func tilesOf(pass, width int, t device.Type) tiles {
	if t == device.Float32 {
		return tiles{pass: pass, rows: side, columns: side, threads: 256}
	}
	c := tiles{pass: pass, rows: rowsOfBlock, columns: 16, rowWarps: 4, columnWarps: 1, deep: 32, stages: 4, threads: 128, blocks: 2}
	for c.columns < min(width, 128) {
		c.columns *= 2
	}
	if c.columns == 128 {
		c.rowWarps, c.columnWarps = 2, 2
	}
	slab := func(rows, columns int) int { return 2 * rows * (columns + padding) }
	left, right := slab(c.rows, c.deep), slab(c.columns, c.deep)
	if pass != rowsPass {
		right = slab(c.deep, c.columns)
	}
	if pass == sumsPass {
		left = slab(c.deep, c.rows)
	}
	c.shared = c.stages * (left + right)
	return c
}

// padding is what a row in shared memory has beside its columns, so that eight rows
// begin in different banks.
const padding = 8

// kernel asks a set for a kernel in these tiles.
func (c tiles) kernel(set *device.Set, name string, t device.Type, shape ...string) *device.Kernel {
	defines := append([]string{
		rows.DefineType("TYPE", t), rows.DefineFlag("BF16", t == device.BFloat16), rows.Define("PASS", c.pass),
	}, shape...)
	if t == device.Float32 {
		return set.Kernel(device.Source{Name: "plain.cu", Text: device.Include + productHeader + plainText, Defines: defines}, name)
	}
	defines = append(defines, rows.Define("BM", c.rows), rows.Define("BN", c.columns), rows.Define("BK", c.deep),
		rows.Define("WARPS_M", c.rowWarps), rows.Define("WARPS_N", c.columnWarps), rows.Define("STAGES", c.stages), rows.Define("RESIDENT", c.blocks))
	return set.Kernel(device.Source{Name: "product.cu", Text: device.Include + device.PTX + productHeader + productText, Defines: defines}, name)
}
