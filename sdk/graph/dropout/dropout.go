// Package dropout is the dropout of adapters: which elements are dropped is a
// function of counters alone, so that nothing is stored for the backward pass,
// and a sample drops the same elements however it is packed and on whichever
// device it is.
//
// # Definition
//
// The random numbers are Philox4x32-10 (Salmon et al., 2011). With mix the
// finaliser of SplitMix64 (Steele et al., 2014),
//
//	mix(z): z ^= z>>30; z *= 0xbf58476d1ce4e5b9; z ^= z>>27; z *= 0x94d049bb133111eb; z ^= z>>31
//	k = mix(mix(mix(seed + g) + step + g) + hash + g),  g = 0x9e3779b97f4a7c15
//
// where step is the optimizer step, counted from 1, and hash the FNV-1a hash, 64
// bits, of the module's path, the key is (k mod 2³², ⌊k/2³²⌋). The counter is
// (sample, position, ⌊column/4⌋, slot), and of its four outputs the one with index
// column mod 4 is the column's; the slot is 0 but in a row of one of a token's
// several experts. An element is kept where that output is at least
// ⌊p·2³² + ½⌋, and then multiplied by 1/(1−p); else it is 0.
package dropout

// A Key is the key of one module in one step.
type Key [2]uint32

const golden = 0x9e3779b97f4a7c15

// NewKey is the key of the module with that path in an optimizer step.
func NewKey(seed, step uint64, module string) Key {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	hash := uint64(offset)
	for i := range len(module) {
		hash = (hash ^ uint64(module[i])) * prime
	}
	k := mix(mix(mix(seed+golden)+step+golden) + hash + golden)
	return Key{uint32(k), uint32(k >> 32)}
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// The constants of Philox4x32: what counters are multiplied by, and what is added
// to the key from round to round.
const (
	multiplier0, multiplier1 = 0xd2511f53, 0xcd9e8d57
	weyl0, weyl1             = 0x9e3779b9, 0xbb67ae85
)

// Philox is the four outputs of Philox4x32-10 for a counter under a key.
func Philox(counter [4]uint32, key Key) [4]uint32 {
	a, b, c, d := rounds(counter[0], counter[1], counter[2], counter[3], key[0], key[1])
	return [4]uint32{a, b, c, d}
}

// rounds takes and gives words, not arrays, which are kept in registers.
func rounds(c0, c1, c2, c3, k0, k1 uint32) (uint32, uint32, uint32, uint32) {
	for range 10 {
		p0, p1 := uint64(c0)*multiplier0, uint64(c2)*multiplier1
		c0, c1, c2, c3 = uint32(p1>>32)^c1^k0, uint32(p1), uint32(p0>>32)^c3^k1, uint32(p0)
		k0 += weyl0
		k1 += weyl1
	}
	return c0, c1, c2, c3
}

// Threshold is the least output that keeps an element at probability p of
// dropping it, 0 ≤ p < 1.
func Threshold(p float64) uint64 { return uint64(p*(1<<32) + 0.5) }

// Row fills multipliers with 0 or 1/(1−p) for the columns 0, 1, … of a token.
func Row(key Key, sample, position int32, p float64, multipliers []float32) {
	SlotRow(key, sample, position, 0, p, multipliers)
}

// SlotRow is [Row] for a slot of a token, where it has a row for each of its experts.
func SlotRow(key Key, sample, position, slot int32, p float64, multipliers []float32) {
	keep := [2]float32{0, float32(1 / (1 - p))}
	threshold := Threshold(p)
	pick := func(output uint32) float32 { // without a branch that cannot be foreseen
		return keep[(uint64(output)-threshold)>>63^1]
	}
	var last [4]float32
	for block := uint32(0); len(multipliers) > 0; block++ {
		o0, o1, o2, o3 := rounds(uint32(sample), uint32(position), block, uint32(slot), key[0], key[1])
		m := &last
		if len(multipliers) >= 4 {
			m = (*[4]float32)(multipliers)
		}
		m[0], m[1], m[2], m[3] = pick(o0), pick(o1), pick(o2), pick(o3)
		if m == &last {
			copy(multipliers, last[:])
		}
		multipliers = multipliers[min(4, len(multipliers)):]
	}
}
