//go:build !unix

package plugin

import "os"

// divertStdout leaves standard output as it is where descriptors cannot be
// duplicated.
func divertStdout() (*os.File, error) { return os.Stdout, nil }
