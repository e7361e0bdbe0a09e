//go:build !unix

package plugin

// watchLifeline does nothing where a descriptor cannot be handed down.
func watchLifeline() {}
