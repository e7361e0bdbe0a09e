// The plugin logger-wandb writes a run's records in W&B's offline format:
// scalars, texts, histograms, images, tables, and the settings. `wandb sync`
// uploads them.
//
// The run is one W&B run, however often it is interrupted, resumed, or the logger
// killed: what W&B knows it by is noted in the run's folder, and the log of what
// was written is read back at each start ([wandb.Open]).
//
// It never touches the network: uploading while the run goes on comes later.
// Package offline lays out the folder, package datastore knows the format of the
// log.
package main

import "github.com/honeml/hone/sdk/logger"

func main() { logger.Serve(newWandb()) }
