// Package train is the training loop: it deals documents out to steps, has a
// kernels plugin do them, records what they came to, evaluates, writes
// checkpoints, and goes on after a crash as if nothing had happened.
//
// # A run
//
// [Trainer.Run] makes attempts. An attempt starts the kernels plugin, binds,
// loads and, where there is a checkpoint, restores; then it trains in segments,
// each up to the next step at which something else is due: an evaluation, a
// checkpoint, the end. If the plugin dies, the next attempt goes on from the last
// checkpoint; the steps after it are done again, with the same losses, and logged
// under a new attempt.
//
// # What a step waits for
//
// Steps are sent ahead of the plugin's need and results come in order
// (kernels.Backend.Train). Records go to a journal that writes on its own
// (package metrics), events to a display that is silent when it cannot write. So
// nothing but the plugin decides how fast steps are.
package train
