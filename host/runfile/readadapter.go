package runfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/sdk/graph/adapt"
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
	if r.Adapter.DoRA && r.Adapter.LoRABias && b.sound("lora_bias") {
		l.refuse(l.at(b, "lora_bias"), "Contradiction", "DoRA has no bias in the second matrix, and neither has PEFT's. Leave out dora or lora_bias.")
	}
	if r.Adapter.Init == string(adapt.InitPiSSA) && b.sound("init") {
		switch {
		case r.Adapter.From != "":
			l.refuse(l.at(b, "init"), "Contradiction", "Init says what a fresh adapter begins with, and this one begins with what is in %s. Leave out init or from.", r.Adapter.From)
		case r.Adapter.DoRA:
			l.refuse(l.at(b, "init"), "Contradiction", "An adapter with DoRA begins as LoRA's do. Leave out init or dora.")
		}
	}
	if !b.Given["alpha"] && b.Values["alpha"] == nil {
		r.Adapter.Alpha = alphaFor(r.Adapter.Rank)
		for name, rank := range r.Adapter.Ranks {
			if _, given := r.Adapter.Alphas[name]; !given {
				if r.Adapter.Alphas == nil {
					r.Adapter.Alphas = map[string]float64{}
				}
				r.Adapter.Alphas[name] = alphaFor(rank)
			}
		}
	}
}

// alphaFor is the default for a rank.
func alphaFor(rank int) float64 { return 2 * float64(rank) }

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
		"rank": int64(peft.Rank), "alpha": peft.Alpha, "rslora": peft.RSLoRA, "bias": string(peft.Bias), "lora_bias": peft.LoRABias, "dora": peft.DoRA,
		"targets": list(peft.Targets), "exclude": list(peft.Exclude), "layers": list(peft.Layers), "also_train": list(peft.Modules),
		"ranks": exceptions(peft.Ranks), "alphas": exceptions(peft.Alphas),
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value := given[name]
		problem := ""
		if a := b.spec.attribute(name); a.check != nil && !isEmpty(value) {
			problem = a.check(value)
		}
		switch {
		case problem != "":
			l.refuse(l.at(b, "from"), "No adapter to start from", "%s: its %s %s.", dir, name, problem)
			b.bad["from"], b.bad[name] = true, true
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

func readPEFTConfig(dir string) (adapt.LoRA, error) {
	path := filepath.Join(dir, "adapter_config.json")
	data, err := evaluate.ReadFile(path, maxPEFTConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return adapt.LoRA{}, fmt.Errorf("there is no %s: the folder holds no PEFT adapter", path)
	}
	if err != nil {
		return adapt.LoRA{}, err
	}
	l, err := adapt.ParseConfig(data)
	if err != nil {
		return adapt.LoRA{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// isEmpty reports a list or map of nothing.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// list is a list as attributes have it.
func list[T any](items []T) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = item
	}
	return out
}

// exceptions are a map as attributes have it.
func exceptions[T int | float64](items []adapt.Exception[T]) map[string]any {
	out := map[string]any{}
	for _, e := range slices.Backward(items) { // the first of a name counts
		out[e.Pattern] = float64(e.Value)
	}
	return out
}

// sameSetting compares values of an attribute; the order of targets does not
// matter.
func sameSetting(a, b any) bool {
	x, isList := a.([]any)
	y, _ := b.([]any)
	if isList {
		return reflect.DeepEqual(sorted(x), sorted(y))
	}
	if m, isMap := a.(map[string]any); isMap {
		other, _ := b.(map[string]any)
		return maps.EqualFunc(m, other, func(x, y any) bool { return toNumber(x) == toNumber(y) })
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
