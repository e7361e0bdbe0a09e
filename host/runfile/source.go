package runfile

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/honeml/hone/host/runfile/internal/attributes"
	"github.com/honeml/hone/sdk/config"
)

// A Ref names a block of a run: {Block: "adapter", Label: "lora"}, {Block:
// "train"}, or the second data "train" block, which has Index 1.
type Ref struct {
	Block, Label string
	Index        int // among the blocks of the same Block and Label
}

// String is the block as messages name it.
func (r Ref) String() string { return blockName(r.Block, r.Label) }

// A source is where a run's values were written. A run that was read from JSON has
// none.
type source struct {
	files  map[string]*hcl.File
	run    *hclsyntax.Block
	blocks map[Ref]*hclsyntax.Block
	given  map[Ref]map[string]bool
}

// Diagnose shows what somebody found wrong with a block of the run at the lines
// that the paths lead to: what a plugin says of its block, or the host of its own.
// What cannot be found in the source is shown at the block's first line, or at the
// run's where the file has no such block.
func (r *Run) Diagnose(ref Ref, found config.Diagnostics) Diagnostics {
	var out Diagnostics
	if r.source != nil {
		out.Files = r.source.files
	}
	for _, f := range found {
		d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf("%s: %s", ref, f.Summary), Detail: sentence(f.Detail)}
		if f.Warning {
			d.Severity = hcl.DiagWarning
		}
		if r.source == nil && len(f.Path) > 0 {
			d.Summary = fmt.Sprintf("%s: %s", ref, config.Diagnostic{Path: f.Path, Summary: f.Summary})
		}
		if r.source != nil {
			d.Subject = r.source.locate(ref, f.Path).Ptr()
		}
		out.List = append(out.List, d)
	}
	return out.sort()
}

func (s *source) locate(ref Ref, path []string) hcl.Range {
	if ref.Block == "run" {
		return attributes.Locate(s.run, path)
	}
	if b, ok := s.blocks[ref]; ok {
		return attributes.Locate(b, path)
	}
	return s.run.DefRange()
}

// isGiven reports whether the file sets an attribute. Of a run from JSON every
// attribute is as good as set.
func (r *Run) isGiven(ref Ref, attribute string) bool {
	return r.source == nil || r.source.given[ref][attribute]
}

// CheckLength holds max_length to a limit that only others know; what says whose
// it is, such as "the model Llama". Where the file does not set max_length, its
// default is lowered to the limit instead: so ask before the run is compared,
// recorded or started.
func (r *Run) CheckLength(limit int, what string) Diagnostics {
	ref := Ref{Block: "train"}
	if limit <= 0 || r.Train.MaxLength <= limit {
		return Diagnostics{}
	}
	if !r.isGiven(ref, "max_length") {
		r.Train.MaxLength = limit
		return Diagnostics{}
	}
	return r.Diagnose(ref, config.Diagnostics{{
		Path:    []string{"max_length"},
		Summary: fmt.Sprintf("max_length is %d, and %s takes at most %d tokens", r.Train.MaxLength, what, limit),
		Detail:  fmt.Sprintf("Lower max_length to %d or less; data.overlong says what becomes of longer documents.", limit),
	}})
}
