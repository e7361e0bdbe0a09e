package runfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
)

func (l *loader) readAdapter(r *Run, b *decodedBlock) {
	r.Adapter.Kind = b.ref.Label
	if r.Adapter.Kind == AdapterFull {
		l.fill(b, &struct{}{})
		return
	}
	if b.sound("from") {
		l.readFrom(b)
	}
	l.fill(b, &r.Adapter)
	if !b.Given["alpha"] && b.Values["alpha"] == nil {
		r.Adapter.Alpha = 2 * float64(r.Adapter.Rank)
	}
}

// A peftConfig is what hone reads of PEFT's adapter_config.json. The fields after
// LoRABias are those that mean an adapter hone does not have.
type peftConfig struct {
	PEFTType      string  `json:"peft_type"`
	Rank          *int64  `json:"r"`
	Alpha         float64 `json:"lora_alpha"`
	TargetModules any     `json:"target_modules"`
	Dropout       float64 `json:"lora_dropout"`
	RSLoRA        bool    `json:"use_rslora"`
	Bias          string  `json:"bias"`
	LoRABias      bool    `json:"lora_bias"`

	DoRA              bool           `json:"use_dora"`
	RankPattern       map[string]any `json:"rank_pattern"`
	AlphaPattern      map[string]any `json:"alpha_pattern"`
	LayersToTransform any            `json:"layers_to_transform"`
	ModulesToSave     []string       `json:"modules_to_save"`
	TargetParameters  []string       `json:"target_parameters"`
}

// readFrom takes the defaults of the block from an existing adapter, and refuses
// attributes that contradict it.
func (l *loader) readFrom(b *decodedBlock) {
	dir, _ := b.Values["from"].(string)
	peft, err := readPEFTConfig(dir)
	if err != nil {
		b.bad["from"] = true
		l.refuse(l.at(b, "from"), "No adapter to start from", "%s", sentence(err.Error()))
		return
	}
	given := map[string]any{
		"rank": *peft.Rank, "alpha": peft.Alpha, "rslora": peft.RSLoRA, "bias": peft.Bias, "lora_bias": peft.LoRABias,
		"targets": peft.targets(),
	}
	for name, value := range given {
		switch {
		case !b.Given[name]:
			b.Values[name] = value
		case b.sound(name) && !sameSetting(b.Values[name], value):
			l.refuse(l.at(b, name), "Other than the adapter", "The adapter in %s has %s = %s. Leave %s out, or write the same.", dir, name, show(value), name)
		}
	}
	if !b.Given["dropout"] {
		b.Values["dropout"] = peft.Dropout
	}
}

// maxPEFTConfig bounds adapter_config.json.
const maxPEFTConfig = 1 << 20

func readPEFTConfig(dir string) (*peftConfig, error) {
	path := filepath.Join(dir, "adapter_config.json")
	data, err := evaluate.ReadFile(path, maxPEFTConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: the folder holds no PEFT adapter", path)
	}
	if err != nil {
		return nil, err
	}
	c := &peftConfig{PEFTType: "LORA", Alpha: 8, Bias: "none"} // PEFT's defaults
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Rank == nil {
		c.Rank = new(int64(8)) // PEFT's, too
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func (c *peftConfig) check() error {
	if c.PEFTType != "LORA" {
		return fmt.Errorf("its peft_type is %q; hone trains LORA adapters", c.PEFTType)
	}
	for _, b := range []struct {
		used bool
		name string
	}{
		{c.DoRA, "use_dora"}, {len(c.RankPattern) > 0, "rank_pattern"},
		{len(c.AlphaPattern) > 0, "alpha_pattern"}, {c.LayersToTransform != nil, "layers_to_transform"},
		{len(c.ModulesToSave) > 0, "modules_to_save"}, {len(c.TargetParameters) > 0, "target_parameters"},
	} {
		if b.used {
			return fmt.Errorf("it uses %s, which hone does not train", b.name)
		}
	}
	if c.targets() == nil {
		return fmt.Errorf("its target_modules are no list of names; hone does not take PEFT's regular expressions")
	}
	for _, a := range loraAttributes() {
		value := map[string]any{"rank": *c.Rank, "alpha": c.Alpha, "dropout": c.Dropout, "targets": c.targets()}[a.Name]
		if value == nil || a.check == nil {
			continue
		}
		if problem := a.check(value); problem != "" {
			return fmt.Errorf("its %s %s", a.Name, problem)
		}
	}
	if !slices.Contains([]string{"none", "all", "lora_only"}, c.Bias) {
		return fmt.Errorf("its bias is %q", c.Bias)
	}
	return nil
}

// targets are the target modules as a run file lists them; nil where they cannot
// be.
func (c *peftConfig) targets() []any {
	switch targets := c.TargetModules.(type) {
	case string:
		if targets == "all-linear" {
			return []any{"auto"}
		}
	case []any:
		if len(targets) == 0 {
			return nil
		}
		for _, t := range targets {
			if s, ok := t.(string); !ok || s == "" {
				return nil
			}
		}
		return targets
	}
	return nil
}

// sameSetting compares values of an attribute; the order of targets does not
// matter.
func sameSetting(a, b any) bool {
	x, isList := a.([]any)
	y, _ := b.([]any)
	if isList {
		return reflect.DeepEqual(sorted(x), sorted(y))
	}
	if n := toNumber(a); n == n {
		return n == toNumber(b)
	}
	return a == b
}

func sorted(list []any) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = fmt.Sprint(v)
	}
	slices.Sort(out)
	return out
}

// show is a value as a run file has it.
func show(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}

// sentence begins with a capital letter, unless it begins with a path, and ends
// with a full stop.
func sentence(s string) string {
	if s == "" {
		return s
	}
	if first := s[0]; first >= 'a' && first <= 'z' {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	return strings.TrimSuffix(s, ".") + "."
}
