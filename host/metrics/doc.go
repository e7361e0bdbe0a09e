// Package metrics keeps what a run has to say: every record goes into
// metrics.jsonl, once, and from there to the loggers.
//
// The training loop gives records to a [Journal], which writes and syncs them
// off the loop's path. A [Fanout] has one worker a logger; each reads the file at
// its own pace. So a slow logger makes nobody wait, one that died is started
// again and caught up, and what is in the file is what loggers get.
//
// A record carries (attempt, seq). Seq never restarts; attempt grows by one at
// each start of the run and each restart of its kernels plugin, after which steps
// that were logged before may be logged again. A reader keeps, of each step, the
// records of its highest attempt ([Latest]).
package metrics
