// Package data turns a user's files into the documents that a model is trained
// on: it reads formats, renders chats, tokenises, decides which tokens are
// learned, and deals documents out to steps and micro-batches.
//
// Packages below it do one thing each: tokenizer (text to ids), jinja and chat
// (messages to text).
package data

// A Document is one sequence of tokens that attention does not leave.
type Document struct {
	// Where is the place in the user's files that it comes from: chats.jsonl:12.
	Where string
	IDs   []int32
	// Supervised marks the tokens whose prediction is learned. The first of a
	// document never is.
	Supervised []bool
}

// Weights are the weights of the predictions: 1 where supervised, 0 elsewhere.
func (d *Document) Weights() []float32 {
	out := make([]float32, len(d.IDs))
	for i, s := range d.Supervised {
		if s && i > 0 {
			out[i] = 1
		}
	}
	return out
}

// SupervisedTokens is the number of predictions that are learned.
func (d *Document) SupervisedTokens() int {
	n := 0
	for i, s := range d.Supervised {
		if s && i > 0 {
			n++
		}
	}
	return n
}
