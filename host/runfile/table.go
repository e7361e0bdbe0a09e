package runfile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/host/runfile/internal/nearest"
	"github.com/honeml/hone/sdk/config"
)

// A Rule says whether an attribute may differ when a run is resumed.
type Rule string

// The rules. What changes the mathematics of the training may not differ.
const (
	// RuleFixed: it may not differ.
	RuleFixed Rule = "fixed"
	// RuleContent: it may differ as long as what it leads to has the same content,
	// which whoever resumes has to compare: a folder that was moved.
	RuleContent Rule = "content"
	// RuleLength: it may differ with a constant schedule, once the warm-up is over:
	// then no step's learning rate depends on how many steps there are.
	RuleLength Rule = "length"
	// RuleRounding: it may differ; the mathematics is the same, but losses are no
	// longer those of an undisturbed run to the bit.
	RuleRounding Rule = "rounding"
	// RuleFree: it may differ, and the training does not notice.
	RuleFree Rule = "free"
)

// Documentation is what a rule means, as one line.
func (r Rule) Documentation() string {
	switch r {
	case RuleContent:
		return "may differ if it leads to the same content"
	case RuleLength:
		return "may differ with schedule \"constant\", after the warm-up"
	case RuleRounding:
		return "may differ; losses then agree up to rounding"
	case RuleFree:
		return "may differ"
	}
	return "may not differ"
}

// A blockSpec is one kind of block within a run, or within the file.
type blockSpec struct {
	Block, Label string // the label is "" where there is none, "NAME" where the user chooses it
	Doc          string
	Several      bool // the block may stand more than once, with the same label or another
	Attributes   []attributeSpec
}

// An attributeSpec is an attribute of the host's own blocks.
type attributeSpec struct {
	config.Attribute
	Why      string // why the default is what it is, or why there is none
	Computed string // the default in words, where it depends on something
	Resume   Rule
	Fix      string // what to do about an impossible value
	OneOrAll bool   // of a list: a single element may stand without brackets

	check func(v any) (problem string) // of values that the type allows
}

// what is a block as messages name it: adapter "lora".
func (b *blockSpec) what() string { return blockName(b.Block, b.Label) }

func blockName(block, label string) string {
	if label == "" {
		return block
	}
	return fmt.Sprintf("%s %q", block, label)
}

// schema is what the attributes package decodes against.
func (b *blockSpec) schema() config.Schema {
	var s config.Schema
	for _, a := range b.Attributes {
		s.Attributes = append(s.Attributes, a.Attribute)
	}
	return s
}

func (b *blockSpec) attribute(name string) *attributeSpec {
	for i := range b.Attributes {
		if b.Attributes[i].Name == name {
			return &b.Attributes[i]
		}
	}
	return nil
}

// specOf is the spec of a block, or nil.
func specOf(specs []blockSpec, block, label string) *blockSpec {
	for i := range specs {
		if s := &specs[i]; s.Block == block && (s.Label == label || s.Label == anyLabel) {
			return s
		}
	}
	return nil
}

// anyLabel is the label of a blockSpec whose labels users choose.
const anyLabel = "NAME"

// labelsOf are the labels that a kind of block can have.
func labelsOf(specs []blockSpec, block string) []string {
	var labels []string
	for _, s := range specs {
		if s.Block == block && s.Label != "" {
			labels = append(labels, s.Label)
		}
	}
	return labels
}

// blockNames are the kinds of blocks, each once.
func blockNames(specs []blockSpec) []string {
	var names []string
	for _, s := range specs {
		if len(names) == 0 || names[len(names)-1] != s.Block {
			names = append(names, s.Block)
		}
	}
	return names
}

// The checks below say what a value of the attribute must be, to stand after its
// name.

// between is for numbers from one bound to another. Bounds that only keep nonsense
// out are not mentioned before they are crossed.
func between(least, most float64) func(any) string {
	return func(v any) string {
		switch x := toNumber(v); {
		case x < least:
			return fmt.Sprintf("must be at least %s, and this is %s", decimal(least), decimal(x))
		case x > most:
			return fmt.Sprintf("must be at most %s, and this is %s", decimal(most), decimal(x))
		}
		return ""
	}
}

// aboveUpTo is for numbers above one bound and not above another.
func aboveUpTo(bound, most float64) func(any) string {
	return func(v any) string {
		switch x := toNumber(v); {
		case x <= bound:
			return fmt.Sprintf("must be above %s, and this is %s", decimal(bound), decimal(x))
		case x > most:
			return fmt.Sprintf("must be at most %s, and this is %s", decimal(most), decimal(x))
		}
		return ""
	}
}

// inside is for numbers between two bounds, neither of which is possible.
func inside(lower, upper float64) func(any) string {
	return func(v any) string {
		if x := toNumber(v); x <= lower || x >= upper {
			return fmt.Sprintf("must be above %s and below %s, and this is %s", decimal(lower), decimal(upper), decimal(x))
		}
		return ""
	}
}

// below is for numbers from one bound on and below another.
func below(least, bound float64) func(any) string {
	return func(v any) string {
		if x := toNumber(v); x < least || x >= bound {
			return fmt.Sprintf("must be at least %s and below %s, and this is %s", decimal(least), decimal(bound), decimal(x))
		}
		return ""
	}
}

// decimal is a number as people write it.
func decimal(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e16 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

func notEmpty(v any) string {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return "must not be empty"
		}
	case []any:
		if len(v) == 0 {
			return "must not be empty"
		}
		for _, item := range v {
			if problem := notEmpty(item); problem != "" {
				return "must not have an empty element"
			}
		}
	}
	return ""
}

// each is for maps whose values pass a check.
func each(check func(any) string) func(any) string {
	return func(v any) string {
		values, _ := v.(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if name == "" {
				return "must not name what has no name"
			}
			if problem := check(values[name]); problem != "" {
				return fmt.Sprintf("of %q %s", name, problem)
			}
		}
		return ""
	}
}

// checkLayers: indices.
func checkLayers(v any) string {
	layers, _ := v.([]any)
	if len(layers) == 0 {
		return "must not be empty"
	}
	for _, n := range layers {
		if problem := between(0, 1<<20)(n); problem != "" {
			return problem
		}
	}
	return ""
}

// checkTokens: texts of tokens, each once.
func checkTokens(v any) string {
	const most, longest = 10000, 512
	list, _ := v.([]any)
	if len(list) > most {
		return fmt.Sprintf("has %d tokens, at most %d are possible", len(list), most)
	}
	seen := map[any]bool{}
	for _, token := range list {
		switch s, _ := token.(string); {
		case s == "":
			return "must not have an empty element"
		case len(s) > longest:
			return fmt.Sprintf("has a token of %d bytes, at most %d are possible", len(s), longest)
		case seen[token]:
			return fmt.Sprintf("has %q twice", s)
		}
		seen[token] = true
	}
	return ""
}

// checkWarmup: a fraction below 1, or a whole number of steps.
func checkWarmup(v any) string {
	x := toNumber(v)
	switch {
	case x < 0:
		return fmt.Sprintf("must be at least 0, and this is %s", decimal(x))
	case x >= 1 && x != math.Trunc(x):
		return fmt.Sprintf("is a fraction below 1 or a whole number of steps, and this is %s", decimal(x))
	case x > math.MaxInt32:
		return "is a number of steps that no run reaches"
	}
	return ""
}

func checkBetas(v any) string {
	list, ok := v.([]any)
	if !ok || len(list) != 2 {
		return "has two elements, the decay of the gradient's mean and that of its square"
	}
	for _, beta := range list {
		if x := toNumber(beta); !(x >= 0 && x < 1) {
			return fmt.Sprintf("has elements of at least 0 and below 1, and one is %s", decimal(x))
		}
	}
	return ""
}

func checkSize(v any) string {
	s, _ := v.(string)
	n, err := ParseSize(s)
	if err != nil {
		return "is a size such as \"24GiB\" or \"512MB\""
	}
	if n < 1<<20 {
		return "must be at least 1MiB"
	}
	return ""
}

func checkName(v any) string {
	s, _ := v.(string)
	if !isName(s) {
		return "is a name of letters, digits, points, hyphens and underscores"
	}
	return ""
}

// isName reports whether s fits a folder's name on every system.
func isName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || r != '.' && r != '-' && r != '_') {
			return false
		}
	}
	return s != "" && len(s) <= 100
}

func toNumber(v any) float64 {
	switch n := v.(type) {
	case float64:
		return n
	case int64:
		return float64(n)
	}
	return math.NaN()
}

// typeText is the attribute's type as documentation shows it.
func (a *attributeSpec) typeText() string {
	if a.OneOrAll {
		return "string, or " + a.Type.String()
	}
	return a.Type.String()
}

// choices is the values of an attribute as documentation shows them.
func (a *attributeSpec) choices() string {
	if len(a.OneOf) == 0 {
		return ""
	}
	return nearest.List(a.OneOf, "or")
}
