// Package graphtest draws random Graphs for the tests of whatever runs Graphs:
// the interpreter's gradients are held to finite differences on them, and a
// backend's results to the interpreter's. It is for tests alone.
//
// [Random] draws a [Case]: a valid Graph with parameters and a micro-batch, made of
// all operations, in orders that no model has, with every attribute. Which experts a
// token chooses does not hang on small differences. Values stay near 1 in size and far from where functions
// have no bound, so that differences are well conditioned; kinks (max, where,
// floor) are there, and a test has to reckon with them.
//
// [Case.Classes] says which operations and attributes a case has; [Classes] lists
// all of them, so that a test can say that it saw each often enough.
package graphtest
