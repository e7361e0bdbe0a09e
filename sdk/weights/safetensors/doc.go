// Package safetensors reads and writes the safetensors format, in one file or in
// shards with an index.
//
// A file is a little-endian uint64 N, N bytes of JSON that give each tensor's
// dtype, shape and place, and the tensors' bytes, without gaps
// (https://github.com/huggingface/safetensors). [Open] checks all of that and
// nothing less: what it accepts, the reference implementation accepts. A dtype
// that hone does not know is no error until the tensor is used.
//
//	f, err := safetensors.Open("model.safetensors")
//	t, ok := f.Lookup("model.norm.weight")
//
// [OpenIndex] opens the shards that a model.safetensors.index.json lists.
// [Create] and [CreateSharded] write: tensors are declared first, in any order,
// and the data is streamed. The same tensors always give the same bytes, those
// that the reference implementation writes.
//
// It is not for converting data: package weights reads tensors as float32.
package safetensors
