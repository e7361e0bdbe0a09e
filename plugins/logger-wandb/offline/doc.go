// Package offline writes a run in W&B's offline format: a folder that
// `wandb sync FOLDER` uploads.
//
//	wandb/
//	  latest-run -> offline-run-20261125_093000-ab12cd34
//	  offline-run-20261125_093000-ab12cd34/
//	    run-ab12cd34.wandb       the transaction log: everything that is uploaded
//	    files/                   for people, as of the run's last start or end:
//	      config.yaml            the settings
//	      wandb-metadata.json    the machine
//	      wandb-summary.json     the latest values
//	      output.log             the console
//	      media/                 images, texts and tables, named by their content
//
// [Open] begins such a folder or goes on with one, reading back from the log what
// it holds: so a logger that was killed misses nothing and repeats nothing.
//
// # Steps
//
// W&B's history is append-only, and its step, _step, rises from row to row: W&B's
// own client makes one row of all that is logged at a step, and drops what comes
// for a step that has passed. A run of hone logs several records at one step,
// each of which must be safe when it was logged, and after a crash goes back to
// its last checkpoint. So each record becomes a row of its own, whose _step is
// the training step, or one more than the last row's where that is higher. The
// training step itself is the metric [StepKey], declared as the axis over which
// W&B draws all the others; [AttemptKey] tells the attempts of a run apart, whose
// rows are all kept.
//
// The package does no networking.
package offline
