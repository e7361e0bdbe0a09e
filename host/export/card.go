package export

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/graph/adapt"
)

// CardFile is the file that tells people about an adapter beside it.
const CardFile = "README.md"

// A Card is what whoever loads an adapter with other programs has to know.
type Card struct {
	Name string // of the run
	Base string // what the run file calls the base model
	// Scaling is how the base model's positions were scaled, in words; "" for a base
	// as it is. The base is then loaded by the config.json beside the adapter.
	Scaling string
	// Tokens were added; Vocabulary is how many the base's tables then have rows for, 0
	// where they had enough. The tokenizer with them stands beside the adapter.
	Tokens     []string
	Vocabulary int
	// Fused are the targets of FusedByPEFT.
	Fused []string
}

// FusedByPEFT are the adapter's targets that PEFT does not put where hone has them: in a
// model with experts it takes linears with the names that experts' linears had before
// transformers 5 fused them for these (PEFT 0.19 on, transformers_weight_conversion).
func FusedByPEFT(g *graph.Graph) []string {
	if !slices.Contains(g.Ops(), "expert_linear") {
		return nil
	}
	d, _ := adapt.Describe(g)
	var out []string
	for _, target := range d.TargetModules {
		last := target[strings.LastIndex(target, ".")+1:]
		if last == "gate_proj" || last == "up_proj" || last == "down_proj" {
			out = append(out, target)
		}
	}
	return out
}

// Markdown is the card as the Hub takes it.
func (c Card) Markdown() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "---\nbase_model: %s\nlibrary_name: peft\n---\n\n# %s\n\nA LoRA adapter for `%s`.\n", strconv.Quote(c.Base), c.Name, c.Base)
	if c.Scaling != "" {
		fmt.Fprintf(&b, scaledBase, c.Scaling, strings.TrimPrefix(c.Base, "hf://"))
	}
	if len(c.Tokens) > 0 {
		fmt.Fprintf(&b, "\nIt has tokens that the base model does not have, %d of them; the tokenizer beside this file knows them, and the adapter holds their rows.\n", len(c.Tokens))
	}
	if c.Vocabulary > 0 {
		fmt.Fprintf(&b, "Make room for them in the base before the adapter is put on: `base.resize_token_embeddings(%d)`.\n", c.Vocabulary)
	}
	if len(c.Fused) > 0 {
		fmt.Fprintf(&b, fusedTargets, strings.Join(c.Fused, ", "))
	}
	return []byte(b.String())
}

// fusedTargets says what PEFT cannot load.
const fusedTargets = `
Beside experts it adapts linears that are called as experts' linears once were (%s). PEFT takes these for the
fused experts of today's transformers and does not load the adapter as it was trained: use hone's merged model
(` + "`hone export RUN merged`" + `), or train without these targets.
`

// scaledBase says how a base with scaled positions is loaded.
const scaledBase = `
It was trained with positions that the base model does not have by itself: %s.
The ` + "`config.json`" + ` beside this file is the base model's with that scaling; load the base by it:

` + "```python" + `
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM

config = AutoConfig.from_pretrained("PATH OF THIS FOLDER")
base = AutoModelForCausalLM.from_pretrained(%q, config=config)
model = PeftModel.from_pretrained(base, "PATH OF THIS FOLDER")
` + "```\n"
