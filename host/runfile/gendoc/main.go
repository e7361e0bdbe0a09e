// Command gendoc writes the generated sections of docs/run-file.md. go generate
// runs it in the folder of package runfile.
package main

import (
	"fmt"
	"os"

	"github.com/honeml/hone/host/runfile"
)

const page = "../../docs/run-file.md"

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "gendoc: %v\n", err)
		os.Exit(1)
	}
}

func run() error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	updated, err := runfile.UpdateDocumentation(old)
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, updated, 0o644)
}
