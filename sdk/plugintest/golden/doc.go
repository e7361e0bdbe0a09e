// Package golden holds a model plugin to transformers and PEFT. The script golden.py,
// which [Files] has, makes of a small configuration a model with random weights, runs
// and trains it, and writes down what it came to:
//
//	model/               the checkpoint, as save_pretrained writes it
//	start/               PEFT's adapter before the first step
//	case.json            adapter, optimizer, documents, steps; losses and gradient norms
//	golden.safetensors   logits before and after, gradients of the first step
//
// [Read] reads such a folder. [Case.Check] builds the plugin's Graph and holds it to all
// of that, run by the definition of its operations, package interp, in float64: what
// differs is the plugin's doing, not rounding. Package modeltest calls it.
package golden

import _ "embed"

//go:embed golden.py
var script []byte

//go:embed reference.py
var reference []byte

// Files are the script and what it imports, by name. They need a Python with
// torch, transformers and peft.
func Files() map[string][]byte {
	return map[string][]byte{"golden.py": script, "reference.py": reference}
}
