// The plugin logger-tensorboard writes a run's records as TensorBoard event
// files: scalars, texts, histograms, images, tables, and the hyperparameters.
//
// Each start of the plugin opens a new event file beside the older ones. Every
// event carries the (attempt, seq) of its record, so a logger that was killed
// finds out from its files what it has ([tensorboard.Open]), and a record that
// comes again is dropped. A run that goes on from an earlier step begins the new
// attempt with a restart mark, on which TensorBoard drops the later steps of the
// old one.
//
// It does not summarise or smooth: what a record holds is what TensorBoard
// shows. Package events knows the files' format.
package main

import "github.com/honeml/hone/sdk/logger"

func main() { logger.Serve(newTensorboard()) }
