// Package diff differentiates a Graph. It adds no operations: what it gives is a
// [Schedule] over the same nodes, forward and backward, which says for each
// backward step which gradients it computes, where it adds to one that is there
// already, and which values of the forward pass it reads. So a backend knows, before
// anything runs, what has to be kept, and computes nothing that no trainable
// parameter needs. A schedule depends on the Graph and the options alone, never on
// the number of tokens.
//
// The derivative of each operation is the backend's; package interp has it in
// float64. That of map is symbolic, and stands in the schedule.
//
// # Running a schedule
//
// Run the steps in their order. A [Forward] step computes a node's outputs. The
// [Loss] step computes the objective and writes the gradient of the logits. A
// [Backward] step has the gradients of its node's outputs ([Step.OutputGradients]
// says which: one that nothing used has none and counts as zero) and computes what
// [Step.Inputs] and [Step.Params] list, reading the values in [Step.Reads] and
// whatever parameters it needs. Where Accumulate is set it adds to what is there,
// else it writes. A value's gradient is complete when the step of the node that
// produces the value comes; contributions are added in one order, the reverse of
// the Graph's, so that sums have the same bits each time.
//
// A trainable parameter that the logits do not depend on, or one of an adapter
// that is off, appears in no step: its gradient is zero.
//
// # What a backward step reads
//
//	embed      nothing
//	linear     its input, if its weight or A or B of its adapter is trained
//	norm       its input
//	rope       nothing
//	attention  its inputs and its output
//	map        the inputs that occur in the derivatives it computes
//	split      nothing
//	concat     nothing
//	conv       its input, if its weight is trained
//	route      its input and the indices; with a balancing loss it has a gradient to
//	           give though nothing has used its weights
//	expert_linear  the indices; its input, if that of a linear or if its weights have
//	           a gradient; its weights, if its input has one or is read for its own
//	combine    its weights, and x if they have a gradient
//
// What an operation keeps beside its outputs, such as attention's log-sum-exp of
// each row, is the backend's; it lives as long as the node's first output.
package diff
