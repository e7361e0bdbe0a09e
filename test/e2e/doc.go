// Package e2e tests the whole program: it builds the host and the plugins and
// runs them as a user does, then looks at what they leave.
//
//   - kill_test.go kills plugins and hosts at random moments and holds what comes
//     out to an undisturbed run, to the bit;
//   - interrupt_test.go and resume_test.go stop runs on purpose and go on with them;
//   - failures_test.go has runs that cannot come to an end;
//   - interop_test.go gives the results to the Python programs they are for;
//   - bench_test.go measures what a user waits for: docs/performance.md.
//
// Runs train with kernels "cpu", or with what HONE_TEST_KERNELS names, in the precision
// that HONE_TEST_PRECISION names: package test/binaries has how to do so on a machine
// without Go.
//
// The command line, message by message, is tested in host/cli.
package e2e
