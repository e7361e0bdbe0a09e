// Package optimizer is AdamW (Loshchilov and Hutter, 2019) on a GPU, over all
// trainable parameters at once: they lie in one flat buffer, as do their gradients
// and moments.
//
// A step is three kernels: partial sums of the gradient's square; one block that adds
// them up and decides what the step does, which it writes to a [State] in the GPU's
// memory; and the update, which reads it there. The host waits for none of them. Adam's
// own count of steps stands in the State too, since only the GPU knows whether a step
// was skipped.
//
// Where activations are held in float16, the State also has the loss scale: how large
// the loss is made so that small gradients do not vanish. It grows after a number of
// good steps, and is halved by a step whose gradient is not finite, which is skipped.
// The number doubles with each such step that follows good ones, and halves after two
// growths in a row: so a run whose scale is at its limit loses a step in thousands.
package optimizer
