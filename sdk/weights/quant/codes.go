package quant

// The float32 of each code, offset taken off. A look-up and a product take less
// time than a conversion and a product, and give the same bits.
var (
	codes      = codesFrom[[32]float32](0)  // of 4 and 5 bits with a minimum
	codesOff8  = codesFrom[[16]float32](8)  // Q4_0
	codesOff16 = codesFrom[[32]float32](16) // Q5_0
	codesOff32 = codesFrom[[64]float32](32) // Q6_K
	codesInt8  = int8Codes()                // Q8_0, by the byte
	// MXFP4: twice the e2m1 values.
	codesE2M1 = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}
)

// codesFrom lists 0−offset, 1−offset, …
func codesFrom[A [16]float32 | [32]float32 | [64]float32](offset int) (values A) {
	for i := range len(values) {
		values[i] = float32(i - offset)
	}
	return values
}

func int8Codes() (values [256]float32) {
	for i := range values {
		values[i] = float32(int8(i))
	}
	return values
}
