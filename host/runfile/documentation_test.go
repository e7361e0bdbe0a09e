package runfile_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/honeml/hone/host/runfile"
)

const page = "../../docs/run-file.md"

func TestDocumentationIsCurrent(t *testing.T) {
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	updated, err := runfile.UpdateDocumentation(old)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, updated) {
		t.Errorf("%s is out of date: run go generate ./host/runfile", page)
	}
}

func TestDocumentationWithoutMarks(t *testing.T) {
	if _, err := runfile.UpdateDocumentation([]byte("# The run file\n")); err == nil || !strings.Contains(err.Error(), "blocks") {
		t.Errorf("got %v", err)
	}
}

// The examples of the page are run files, or parts of one.
func TestExamplesOfDocumentation(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(text), "```hcl\n")[1:]
	for _, example := range examples {
		example, _, _ = strings.Cut(example, "```")
		formatted, diags := runfile.Format("example.hcl", []byte(example))
		if diags.HasErrors() || string(formatted) != example {
			t.Errorf("%v: formatted, it is\n%s\nnot\n%s", diags.Err(), formatted, example)
		}
		whole := example
		if !strings.Contains(example, "run \"") {
			if slices.ContainsFunc([]string{"adapter ", "metric ", "logger ", "rope_scaling ", "tokens {"}, func(block string) bool { return strings.Contains(example, block) }) {
				whole = "run \"x\" {\nmodel { source = \"hf://a/b\" }\ndata \"train\" { source = \"data.jsonl\" }\ntrain { epochs = 1 }\n" + example + "}\n"
			} else {
				whole = example + "run \"x\" {\nmodel { source = \"hf://a/b\" }\ndata \"train\" { source = \"data.jsonl\" }\ntrain { epochs = 1 }\n}\n"
			}
		}
		whole = strings.ReplaceAll(whole, "chats.jsonl", "data.jsonl")
		if run, diags := loadText(t, whole); run == nil {
			t.Errorf("%s\n%v", whole, diags.Err())
		}
	}
	if len(examples) < 5 {
		t.Errorf("only %d examples were found", len(examples))
	}
}
