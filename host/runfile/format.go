package runfile

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

// Format lays a run file out in HCL's canonical style: spaces, indentation and
// the alignment of equals signs. A file that cannot be parsed is left alone, and
// the diagnostics say why. name is the file's, for these.
func Format(name string, src []byte) ([]byte, Diagnostics) {
	file, body, diags := evaluate.Parse(name, src)
	if body == nil {
		return src, Diagnostics{List: diags, Files: map[string]*hcl.File{name: file}}.sort()
	}
	return hclwrite.Format(src), Diagnostics{}
}
