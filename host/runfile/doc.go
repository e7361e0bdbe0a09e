// Package runfile turns an HCL run file into a checked [Run]: plain Go values that
// the rest of the host uses without HCL.
//
// [Load] reads the file, its variables and locals, decodes the run's blocks, and
// those of plugins against the plugins' schemas, and checks whatever can be checked
// before a plugin is started: values that are impossible, files that are missing,
// settings that contradict each other. All that is wrong is reported at once, as
// [Diagnostics] that show the source at file and line. What only a model or a plugin
// knows is judged later and by others; [Run.Diagnose] and [Run.CheckLength] show
// their verdicts at the line they are about.
//
// Every attribute of a run's own blocks stands in one table, with its type, its
// default, why, and whether it may differ when a run is resumed. The decoding, the
// checks, [Run.Resumable] and the reference in docs/run-file.md are all read off that
// table.
//
// A Run is also JSON, for run.json: deterministic, complete but for secrets, and
// readable again.
//
// What is not here: reading models and data, starting plugins, the run's folder.
//
// Sources are untrusted: package evaluate, below, bounds the time and the memory
// that a file can take.
package runfile

//go:generate go run ./gendoc
