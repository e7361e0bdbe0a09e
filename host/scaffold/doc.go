// Package scaffold begins the module of a plugin: one that builds and passes its tests
// at once, from the templates beside it, which an author then changes.
package scaffold
