// Package plugintest holds a conformance kit for each kind of plugin: rules, each
// with a name and a sentence, that a plugin keeps or breaks. Authors run them in
// their tests; hone runs them on a binary for its user (hone plugins check PATH). The
// kits test what every plugin of a kind has to do, not what makes one worth having:
// speed, hardware, what a logger's files look like.
//
// # In a test
//
//	func TestConformance(t *testing.T) {
//		plugintest.Kernels(t, func() kernels.Backend { return new(backend) }, plugintest.KernelsOptions{})
//	}
//
// runs each rule twice: on the backend itself, and through the wire, with the
// messages that host and plugin exchange. [KernelsBinary] runs them on a built
// program instead, in processes of its own, as a host would. [Model] and [Logger]
// are the same for the other kinds. A rule's name is the name of a subtest, so that
//
//	go test -run 'TestConformance/.*/kernels/accumulation-exact'
//
// runs one.
//
// # Elsewhere
//
// [CheckKernels], [CheckModel] and [CheckLogger] return a [Report] and need no
// testing.T. They take a [Start], which makes a fresh instance of the plugin as
// often as a rule wants one: [InProcess], [Binary], or what the host has. [Check] does it
// all for a path.
//
// # What the rules compare with
//
// The kernels kit makes a small model with random weights, writes it to a folder as
// safetensors, and holds the plugin's losses, gradients, updates and tokens to those
// of package refbackend, which computes in float64. How close they have to be depends
// on the precision that the plugin offers. Weights are numbers that bfloat16 holds, so
// that a plugin may keep them in it. Further graphs are random, over the operations
// that the plugin announces. What a plugin does not announce is not asked of it; rules
// that this leaves nothing of are skipped, and say so.
//
// The model kit needs configurations: [ModelOptions] gives them; without, it tries one
// in the form of Llama's. The logger kit needs a block where the plugin's schema has
// required attributes, and a function that reads back what was logged if it is to see
// doubles: [LoggerOptions] gives both.
package plugintest
