// Package gguf reads and writes GGUF files, versions 2 and 3, little-endian: the
// format of ggml and llama.cpp
// (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
//
// A file is typed key-values, a list of tensors, and their data, each tensor
// aligned. [Open] maps it and checks keys, names, types, shapes and places; the
// values of keys are decoded when they are asked for, so that a vocabulary of a
// hundred thousand strings costs nothing to those who don't.
//
//	f, err := gguf.Open("model.gguf")
//	layers, err := f.Uint("llama.block_count")
//	t, ok := f.Lookup("blk.0.attn_q.weight")
//
// A model split into model-00001-of-00003.gguf and so on is opened by
// [OpenSplits]; the first file has the key-values. [Create] writes a file, its
// data streamed.
//
// Shapes are row-major throughout, the reverse of the order in the file: a
// linear's weight is [out, in].
//
// It is not for dequantising: package weights reads tensors as float32.
package gguf
