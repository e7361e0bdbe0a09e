// Package datastore writes W&B's transaction log, the file run-ID.wandb of a
// run's folder, and reads back as much of it as a writer needs to go on after it
// was killed.
//
// The log is a file head and a sequence of framed records ([Appender],
// [Reader]). A record is the protocol-buffer message wandb_internal.Record with
// a running number and one of a dozen kinds: what the run is ([Run]), its
// settings ([Config]), a row of its history ([History]), the latest values
// ([Summary]), and so on. [Parse] reads back those parts that a writer goes on
// from.
//
// A record can carry a [Mark], the record of hone that it completes. It is
// written as the record's uuid, which readers of a log ignore.
//
// The package knows the format alone: package offline lays out the run's folder
// and decides which records there are.
//
// Sources: wandb/proto/wandb_internal.proto, and wandb/sdk/internal/datastore.py
// for the framing, of wandb 0.25.
package datastore
