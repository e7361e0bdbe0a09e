package runfile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

// MaxSourceBytes is the most that a run file may have.
const MaxSourceBytes = evaluate.MaxSourceBytes

// Parse parses a file in HCL, within the bounds of run files. The body is nil where
// there are errors. It evaluates nothing.
func Parse(name string, src []byte) (*hclsyntax.Body, Diagnostics) {
	file, body, diags := evaluate.Parse(name, src)
	d := Diagnostics{List: diags, Files: map[string]*hcl.File{name: file}}.sort()
	if diags.HasErrors() {
		return nil, d
	}
	return body, d
}

// Literal is the value of a string that is written out in a file that [Parse] parsed.
func Literal(x hclsyntax.Expression) (string, bool) { return evaluate.Literal(x) }
