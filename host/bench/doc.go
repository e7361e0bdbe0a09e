// Package bench measures what a kernels plugin does: steps of training on drawn
// weights of a model's real shape and on random tokens, so that neither a checkpoint
// nor data is needed. Loss and gradient norm stand beside each time, so that a run
// that is fast and wrong shows.
package bench
