// Package parity holds hone to transformers and PEFT: the same configurations,
// weights, documents and settings come to the same logits, losses, gradients,
// tokens and adapters. It has tests alone.
//
// The tests drive the built binaries of the plugins through the host's own
// packages, as a run does: basemodel opens a checkpoint and asks the model plugin
// for its Graph, sdk/graph/adapt puts the adapter on, pluginhost starts the
// kernels plugin, which loads the files, trains, scores, generates and saves.
//
// What is compared with stands in testdata, beside the scripts that made it with
// transformers, PEFT and torch in float32. How far apart float32 and float64 runs
// of the reference are is recorded there too: tolerances are well above it.
//
// The kernels plugin is cpu, or the one that HONE_TEST_KERNELS names: package
// test/binaries has how to test another, and on a machine without Go. TestCurves
// holds each precision of the plugin to PEFT's own in that precision.
//
// Three environment variables turn further tests on:
//
//	HONE_TEST_PYTHON    a Python with the packages that testdata's scripts name:
//	                    what hone writes is read by PEFT, transformers and gguf
//	HONE_TEST_SMOLLM2   SmolLM2-135M-Instruct.Q4_1.gguf: a real model
//	HONE_TEST_GEMMA3    gemma-3-270m-q4_k_m.gguf: another
package parity
