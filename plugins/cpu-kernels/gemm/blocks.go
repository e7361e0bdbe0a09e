package gemm

// Sizes of the blocks that a product is cut into, in elements. They suit first
// level caches of 32 KiB and second level ones of 256 KiB and up.
const (
	// depth is how much of K a tile sums at a time: the panel of B that tiles read
	// over and over, depth × 16 (× 32 in AVX-512), stays in the first level cache.
	depth = 256
	// most is how long the last block of K may be, so that none is short.
	most = depth + depth/2
	// highest is how many rows of A an item has at most: highest × depth elements
	// stay in the second level cache.
	highest = 96
	// broad is how many columns of B an item has at most.
	broad = 128
	// narrow is the same where each item packs its own columns of B.
	narrow = 128
	// thin is how many columns B has at most where tiles read A where it is: each
	// element is read a few times only, and copying it would cost more.
	thin = 64
	// packed bounds the packed part of A, and that of B: 8 MiB each.
	packed = 2 << 20
	// enough is a number of items that keeps up to 64 threads busy.
	enough = 64
	// gap keeps packed rows of A from falling on the same lines of the cache.
	gap = 16
)

// blocksOf is how many blocks K is summed in.
func blocksOf(k int) int { return max(1, (k+most-depth-1)/depth) }

// block is where block i of K begins and ends.
func block(k, i int) (from, to int) {
	if i == blocksOf(k)-1 {
		return i * depth, k
	}
	return i * depth, (i + 1) * depth
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func roundUp(a, b int) int { return ceilDiv(a, b) * b }

// itemRows is how many rows of C an item has, for m rows and so many groups of
// columns: fewer where there would be too few items.
func itemRows(m, groups int) int {
	rows := highest
	for rows > highest/4 && ceilDiv(m, rows)*groups < enough {
		rows /= 2
	}
	return rows
}

// ownPanels is how many panels of columns an item has where items pack their own.
func ownPanels(n, columns int) int {
	panels := narrow / columns
	for panels > 1 && ceilDiv(n, panels*columns) < enough/2 {
		panels /= 2
	}
	return panels
}
