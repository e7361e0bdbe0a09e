package quant

import "encoding/binary"

// The types whose super-blocks hold 256 elements, cut into sub-blocks with
// integer scales of their own.

// scalesAndMinimums unpacks the 12 bytes that hold the 6-bit scales and minimums
// of the 8 sub-blocks of Q4_K and Q5_K. Sub-blocks 0…3 have theirs in the low six
// bits of bytes 0…3 and 4…7; sub-blocks 4…7 have the low four bits in the nibbles
// of bytes 8…11 and the upper two in the upper two of bytes 0…3 and 4…7.
func scalesAndMinimums(packed *[12]byte) (scales, minimums [8]byte) {
	for j := range 4 {
		scales[j] = packed[j] & 63
		minimums[j] = packed[j+4] & 63
		scales[j+4] = packed[j+8]&15 | packed[j]>>6<<4
		minimums[j+4] = packed[j+8]>>4 | packed[j+4]>>6<<4
	}
	return scales, minimums
}

// blocksQ4_K: f16 d, f16 dmin, scales [12], qs [128]; eight sub-blocks of 32 in
// pairs: 32 bytes of qs hold one in the low nibbles and the next in the high
// ones. x = d·scale·q − dmin·minimum.
func blocksQ4_K(dst []float32, src []byte) {
	for ; len(src) >= 144 && len(dst) >= 256; dst, src = dst[256:], src[144:] {
		d, dmin := float16(src), float16(src[2:])
		scales, minimums := scalesAndMinimums((*[12]byte)(src[4:]))
		for pair := range 4 {
			s, m := d*float32(scales[2*pair]), float32(dmin*float32(minimums[2*pair]))
			s2, m2 := d*float32(scales[2*pair+1]), float32(dmin*float32(minimums[2*pair+1]))
			out, qs := (*[64]float32)(dst[64*pair:]), (*[32]byte)(src[16+32*pair:])
			for l := 0; l < 32; l += 4 {
				q := binary.LittleEndian.Uint32(qs[l:])
				low, high := (*[4]float32)(out[l:]), (*[4]float32)(out[l+32:])
				low[0], high[0] = float32(s*codes[q&15])-m, float32(s2*codes[q>>4&15])-m2
				low[1], high[1] = float32(s*codes[q>>8&15])-m, float32(s2*codes[q>>12&15])-m2
				low[2], high[2] = float32(s*codes[q>>16&15])-m, float32(s2*codes[q>>20&15])-m2
				low[3], high[3] = float32(s*codes[q>>24&15])-m, float32(s2*codes[q>>28])-m2
			}
		}
	}
}

// blocksQ5_K: f16 d, f16 dmin, scales [12], qh [32], qs [128]; as Q4_K, with bit
// j of qh[l] the fifth bit of element l of sub-block j.
func blocksQ5_K(dst []float32, src []byte) {
	for ; len(src) >= 176 && len(dst) >= 256; dst, src = dst[256:], src[176:] {
		d, dmin := float16(src), float16(src[2:])
		scales, minimums := scalesAndMinimums((*[12]byte)(src[4:]))
		qh := (*[32]byte)(src[16:])
		for pair := range 4 {
			s, m := d*float32(scales[2*pair]), float32(dmin*float32(minimums[2*pair]))
			s2, m2 := d*float32(scales[2*pair+1]), float32(dmin*float32(minimums[2*pair+1]))
			out, qs := (*[64]float32)(dst[64*pair:]), (*[32]byte)(src[48+32*pair:])
			for l := 0; l < 32; l += 4 {
				q, fifth := binary.LittleEndian.Uint32(qs[l:]), binary.LittleEndian.Uint32(qh[l:])>>(2*pair)
				low, high := (*[4]float32)(out[l:]), (*[4]float32)(out[l+32:])
				low[0], high[0] = float32(s*codes[q&15|fifth<<4&16])-m, float32(s2*codes[q>>4&15|fifth<<3&16])-m2
				low[1], high[1] = float32(s*codes[q>>8&15|fifth>>4&16])-m, float32(s2*codes[q>>12&15|fifth>>5&16])-m2
				low[2], high[2] = float32(s*codes[q>>16&15|fifth>>12&16])-m, float32(s2*codes[q>>20&15|fifth>>13&16])-m2
				low[3], high[3] = float32(s*codes[q>>24&15|fifth>>20&16])-m, float32(s2*codes[q>>28|fifth>>21&16])-m2
			}
		}
	}
}

// blocksQ6_K: ql [128], qh [64], int8 scales [16], f16 d; a scale for each 16
// elements. Each half of the super-block takes 64 bytes of ql and 32 of qh: its
// element l+32k has its low four bits in ql[l+32(k%2)], the low nibble for k < 2
// and the high one after, and its upper two in bits 2k and 2k+1 of qh[l].
// x = d·scale·(q−32).
func blocksQ6_K(dst []float32, src []byte) {
	for ; len(src) >= 210 && len(dst) >= 256; dst, src = dst[256:], src[210:] {
		d, packed := float16(src[208:]), (*[16]byte)(src[192:])
		var scales [16]float32
		for j, s := range packed {
			scales[j] = d * float32(int8(s))
		}
		for part := range 4 { // a half of a half: 16 elements from each of its quarters
			half, j := part/2, part%2
			s := (*[8]float32)(scales[8*half:])
			s0, s1, s2, s3 := s[j], s[j+2], s[j+4], s[j+6]
			out := (*[112]float32)(dst[128*half+16*j:])
			ql, qh := (*[48]byte)(src[64*half+16*j:]), (*[16]byte)(src[128+32*half+16*j:])
			for l, high := range qh {
				first, second := ql[l], ql[l+32]
				out[l] = s0 * codesOff32[first&15|high<<4&48]
				out[l+32] = s1 * codesOff32[second&15|high<<2&48]
				out[l+64] = s2 * codesOff32[first>>4|high&48]
				out[l+96] = s3 * codesOff32[second>>4|high>>2&48]
			}
		}
	}
}
