// Package events writes TensorBoard's event files, and reads back as much of
// them as a writer needs to go on after it was killed.
//
// An event file is a sequence of frames ([AppendFrame], [FrameReader]), each
// holding one [Event] as a protocol-buffer message: a wall time, a step and one
// of a file version, a restart mark or a set of values ([Scalar], [Text],
// [NewTable], [NewHistogram], [NewImage], and the hyperparameters'
// [Experiment], [SessionStart] and [SessionEnd]). A [File] is one such file,
// written by one process; the files of one folder are one run, and TensorBoard
// reads them in the order of their names.
//
// Every event that stands for a record of hone carries a [Mark], so that
// [Recover] finds the last record that reached the folder. Record and mark share
// a frame: either both are there or neither.
//
// The package knows the format alone. What hone's records become, and when a
// restart purges, is the plugin's business. It is no general reader: values are
// written, never parsed.
//
// Sources: TensorFlow's record format (tensorflow/core/lib/io/record_writer.h)
// and the messages event.proto, summary.proto, histogram.proto, tensor.proto and
// the hparams plugin's api.proto and plugin_data.proto of TensorBoard 2.21.
package events
