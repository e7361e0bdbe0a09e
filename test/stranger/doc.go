// Package stranger does what somebody does who has never seen this repository: begins a
// plugin with hone plugins new in a folder of their own, writes an architecture into it
// that the repo lacks, publishes it, and uses it as others do. It has tests alone.
//
// The architecture is Apertus, whose activation has learned parameters and stands in no
// backend. testdata/apertus holds what its author wrote: the files that differ from those
// that the plugin was begun with, and what testdata/golden.py made of testdata/small.json.
package stranger
