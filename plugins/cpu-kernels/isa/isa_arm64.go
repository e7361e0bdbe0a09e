package isa

// Supported lists the levels of this machine, the best last. Every 64-bit Arm
// processor that Go runs on has NEON.
func Supported() []Level { return []Level{Generic, NEON} }
