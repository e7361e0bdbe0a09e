// Package proto holds hone's services and messages, the wire between the host
// and its plugins, and the code generated from them (package honev1 under
// hone/v1). Plugin authors do not use it: packages model, kernels and logger of
// the SDK give them Go interfaces.
//
// released.binpb is the messages of the last release, as buf build writes them. CI holds
// the messages of now to it: what was released only grows. A release renews it:
//
//	make released
package proto

//go:generate go tool -modfile=../../tools/proto/go.mod buf generate
