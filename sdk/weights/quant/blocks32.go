package quant

import (
	"encoding/binary"
	"math"
)

// The types whose blocks hold 32 elements. With 4 and 5 bits, byte j of qs holds
// element j in its low nibble and element j+16 in its high one. The loops take
// four bytes at a time.

// blocksQ4_0: f16 d, qs [16]; x = d·(q−8).
func blocksQ4_0(dst []float32, src []byte) {
	for ; len(src) >= 18 && len(dst) >= 32; dst, src = dst[32:], src[18:] {
		d := float16(src)
		for j := 0; j < 16; j += 4 {
			q := binary.LittleEndian.Uint32(src[2+j:])
			low, high := (*[4]float32)(dst[j:]), (*[4]float32)(dst[j+16:])
			low[0], high[0] = d*codesOff8[q&15], d*codesOff8[q>>4&15]
			low[1], high[1] = d*codesOff8[q>>8&15], d*codesOff8[q>>12&15]
			low[2], high[2] = d*codesOff8[q>>16&15], d*codesOff8[q>>20&15]
			low[3], high[3] = d*codesOff8[q>>24&15], d*codesOff8[q>>28]
		}
	}
}

// blocksQ4_1: f16 d, f16 m, qs [16]; x = d·q + m.
func blocksQ4_1(dst []float32, src []byte) {
	for ; len(src) >= 20 && len(dst) >= 32; dst, src = dst[32:], src[20:] {
		d, m := float16(src), float16(src[2:])
		for j := 0; j < 16; j += 4 {
			q := binary.LittleEndian.Uint32(src[4+j:])
			low, high := (*[4]float32)(dst[j:]), (*[4]float32)(dst[j+16:])
			low[0], high[0] = float32(d*codes[q&15])+m, float32(d*codes[q>>4&15])+m
			low[1], high[1] = float32(d*codes[q>>8&15])+m, float32(d*codes[q>>12&15])+m
			low[2], high[2] = float32(d*codes[q>>16&15])+m, float32(d*codes[q>>20&15])+m
			low[3], high[3] = float32(d*codes[q>>24&15])+m, float32(d*codes[q>>28])+m
		}
	}
}

// blocksQ5_0: f16 d, u32 qh, qs [16]; bit j of qh is the fifth bit of element j;
// x = d·(q−16).
func blocksQ5_0(dst []float32, src []byte) {
	for ; len(src) >= 22 && len(dst) >= 32; dst, src = dst[32:], src[22:] {
		d, fifth := float16(src), binary.LittleEndian.Uint32(src[2:])
		for j := 0; j < 16; j += 4 {
			q := binary.LittleEndian.Uint32(src[6+j:])
			low, high := (*[4]float32)(dst[j:]), (*[4]float32)(dst[j+16:])
			low[0], high[0] = d*codesOff16[q&15|fifth<<4&16], d*codesOff16[q>>4&15|fifth>>12&16]
			low[1], high[1] = d*codesOff16[q>>8&15|fifth<<3&16], d*codesOff16[q>>12&15|fifth>>13&16]
			low[2], high[2] = d*codesOff16[q>>16&15|fifth<<2&16], d*codesOff16[q>>20&15|fifth>>14&16]
			low[3], high[3] = d*codesOff16[q>>24&15|fifth<<1&16], d*codesOff16[q>>28|fifth>>15&16]
			fifth >>= 4
		}
	}
}

// blocksQ5_1: f16 d, f16 m, u32 qh, qs [16]; as Q5_0, with x = d·q + m.
func blocksQ5_1(dst []float32, src []byte) {
	for ; len(src) >= 24 && len(dst) >= 32; dst, src = dst[32:], src[24:] {
		d, m, fifth := float16(src), float16(src[2:]), binary.LittleEndian.Uint32(src[4:])
		for j := 0; j < 16; j += 4 {
			q := binary.LittleEndian.Uint32(src[8+j:])
			low, high := (*[4]float32)(dst[j:]), (*[4]float32)(dst[j+16:])
			low[0], high[0] = float32(d*codes[q&15|fifth<<4&16])+m, float32(d*codes[q>>4&15|fifth>>12&16])+m
			low[1], high[1] = float32(d*codes[q>>8&15|fifth<<3&16])+m, float32(d*codes[q>>12&15|fifth>>13&16])+m
			low[2], high[2] = float32(d*codes[q>>16&15|fifth<<2&16])+m, float32(d*codes[q>>20&15|fifth>>14&16])+m
			low[3], high[3] = float32(d*codes[q>>24&15|fifth<<1&16])+m, float32(d*codes[q>>28|fifth>>15&16])+m
			fifth >>= 4
		}
	}
}

// blocksQ8_0: f16 d, int8 q [32]; x = d·q.
func blocksQ8_0(dst []float32, src []byte) {
	for ; len(src) >= 34 && len(dst) >= 32; dst, src = dst[32:], src[34:] {
		d := float16(src)
		for j := 0; j < 32; j += 8 {
			q, out := binary.LittleEndian.Uint64(src[2+j:]), (*[8]float32)(dst[j:])
			out[0], out[1] = d*codesInt8[byte(q)], d*codesInt8[byte(q>>8)]
			out[2], out[3] = d*codesInt8[byte(q>>16)], d*codesInt8[byte(q>>24)]
			out[4], out[5] = d*codesInt8[byte(q>>32)], d*codesInt8[byte(q>>40)]
			out[6], out[7] = d*codesInt8[byte(q>>48)], d*codesInt8[byte(q>>56)]
		}
	}
}

// blocksMXFP4: e8m0 scale, qs [16], nibbles as Q4_0's; x = 2^(scale−127)·e2m1(q) (Open
// Compute Project, 2023).
func blocksMXFP4(dst []float32, src []byte) {
	for ; len(src) >= 17 && len(dst) >= 32; dst, src = dst[32:], src[17:] {
		d := halfPower(src[0])
		for j, q := range src[1:17] {
			dst[j], dst[j+16] = d*codesE2M1[q&15], d*codesE2M1[q>>4]
		}
	}
}

// halfPower is half of the power of two that an e8m0 scale means, which float32 can
// hold for every scale; 255, which means a NaN, counts as 2^128.
func halfPower(scale byte) float32 {
	if scale < 2 {
		return math.Float32frombits(0x00200000 << scale)
	}
	return math.Float32frombits(uint32(scale-1) << 23)
}
