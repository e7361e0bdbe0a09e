// Command skips reads the output of go test -json, shows what failed, and fails
// where a test was skipped that its list does not name.
//
//	go test -json ./... | skips LIST
//
// A line of the list is a package, below the module, and a test, which stands for its
// subtests too; what follows is why it may be skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

const module = "github.com/honeml/hone/"

// An event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: skips LIST")
		os.Exit(2)
	}
	allowed, err := readList(os.Args[1])
	if err == nil {
		err = check(os.Stdin, allowed)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func readList(path string) (map[string]bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && !strings.HasPrefix(line, "#") {
			list[fields[0]+" "+fields[1]] = true
		}
	}
	return list, nil
}

// check reads events. The output of failed tests is shown as it comes.
func check(r io.Reader, allowed map[string]bool) error {
	output := map[string][]string{}
	passed, failed := 0, 0
	var unlisted []string
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Print(string(line)) // what go itself says
			}
			pkg := strings.TrimPrefix(e.Package, module)
			key := pkg + " " + e.Test
			switch e.Action {
			case "output", "build-output":
				output[key] = append(output[key], e.Output)
			case "pass":
				passed++
				delete(output, key)
			case "fail", "build-fail":
				failed++
				fmt.Printf("FAIL %s\n%s", key, strings.Join(output[key], ""))
			case "skip":
				// An input that a fuzz test has no use for is skipped by it.
				fuzzInput := strings.HasPrefix(e.Test, "Fuzz") && strings.Contains(e.Test, "/")
				test, _, _ := strings.Cut(e.Test, "/")
				if e.Test != "" && !fuzzInput && !allowed[pkg+" "+test] {
					unlisted = append(unlisted, key+"\n"+strings.Join(output[key], ""))
				}
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped without being listed\n", passed, failed, len(unlisted))
	if len(unlisted) > 0 {
		return fmt.Errorf("skipped, and not in the list:\n%s", strings.Join(unlisted, "\n"))
	}
	if failed > 0 {
		return fmt.Errorf("%d failed", failed)
	}
	return nil
}
