// Package loss computes the cross-entropy of logits on a GPU, some rows of logits at
// a time: the loss of each row, and the gradient of the logits in their place.
//
// The gradient is taken in the forward pass, since it needs nothing from later: a
// chunk of logits is computed, becomes its gradient, and is gone. The whole logits
// are in memory at no time.
//
// It is not for what comes before and after: gathering rows and the products with the
// head's weight are the engine's.
package loss
