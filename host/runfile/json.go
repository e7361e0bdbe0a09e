package runfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/honeml/hone/host/runfile/internal/evaluate"
	"github.com/honeml/hone/host/runfile/internal/formula"
)

// formatVersion is the version of a Run's JSON. A reader refuses later ones.
const formatVersion = 1

// plainRun is a Run without its methods.
type plainRun Run

type versionedRun struct {
	Format int `json:"format"`
	*plainRun
}

// MarshalJSON writes the run: the same bytes for the same run, and "(sensitive)" in
// place of every secret.
func (r Run) MarshalJSON() ([]byte, error) {
	return json.Marshal(versionedRun{formatVersion, (*plainRun)(&r)})
}

// UnmarshalJSON reads what MarshalJSON wrote, and checks it as a run file is
// checked, but for files being there. Attributes that hold secrets are absent until
// [Run.RestoreSecrets]; the run has no source to show diagnostics in.
func (r *Run) UnmarshalJSON(data []byte) error {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if version.Format != formatVersion {
		return fmt.Errorf("run: its format is %d, and this hone reads %d: it was written by another version of hone", version.Format, formatVersion)
	}
	*r = Run{}
	if err := strict(data, &versionedRun{0, (*plainRun)(r)}); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	if err := r.check(); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return nil
}

// strict decodes JSON and refuses fields that target lacks.
func strict(data []byte, target any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(target); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// MarshalJSON writes what the kind of adapter has.
func (a AdapterConfig) MarshalJSON() ([]byte, error) {
	if a.Kind == AdapterFull {
		return json.Marshal(map[string]string{"kind": a.Kind})
	}
	type plain AdapterConfig
	return json.Marshal(plain(a))
}

type plainMetric struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MarshalJSON writes the metric's formula as text, without references to what only
// the run file knows.
func (m Metric) MarshalJSON() ([]byte, error) {
	return json.Marshal(plainMetric{m.Name, m.formula.String()})
}

// UnmarshalJSON compiles the formula again.
func (m *Metric) UnmarshalJSON(data []byte) error {
	var p plainMetric
	if err := strict(data, &p); err != nil {
		return fmt.Errorf("metric: %w", err)
	}
	f, err := formula.Parse(p.Value, metricNames())
	if err != nil {
		return fmt.Errorf("metric %q: %w", p.Name, err)
	}
	*m = Metric{Name: p.Name, formula: f}
	return nil
}

type plainBlock struct {
	Kind    string         `json:"kind"`
	Name    string         `json:"name"`
	Values  map[string]any `json:"values"`
	Secrets []Secret       `json:"secrets"`
	Env     []string       `json:"env"`
}

// MarshalJSON writes the block without its secrets.
func (b PluginBlock) MarshalJSON() ([]byte, error) {
	p := plainBlock{Kind: b.Kind, Name: b.Name, Values: b.Redacted(), Secrets: b.Secrets, Env: b.Env}
	if p.Secrets == nil {
		p.Secrets = []Secret{}
	}
	if p.Env == nil {
		p.Env = []string{}
	}
	return json.Marshal(p)
}

// UnmarshalJSON reads the block; attributes with secrets are withheld.
func (b *PluginBlock) UnmarshalJSON(data []byte) error {
	var p plainBlock
	if err := strict(data, &p); err != nil {
		return fmt.Errorf("plugin's block: %w", err)
	}
	*b = PluginBlock{Kind: p.Kind, Name: p.Name, Values: p.Values, Secrets: p.Secrets, Env: p.Env}
	if b.Values == nil {
		b.Values = map[string]any{}
	}
	for _, s := range b.Secrets {
		if len(s.Path) == 0 {
			return fmt.Errorf("%s %q: a secret without a path", p.Kind, p.Name)
		}
		v, ok := b.Values[s.Path[0]]
		if !ok {
			continue // withheld for another secret within it
		}
		if b.withheld == nil {
			b.withheld = map[string]any{}
		}
		b.withheld[s.Path[0]] = v
		delete(b.Values, s.Path[0])
	}
	return nil
}

// Redacted is the block's values with "(sensitive)" in place of secrets: what may
// be logged.
func (b *PluginBlock) Redacted() map[string]any {
	out := make(map[string]any, len(b.Values)+len(b.withheld))
	maps.Copy(out, b.withheld)
	maps.Copy(out, b.Values)
	for _, s := range b.Secrets {
		if v, ok := out[s.Path[0]]; ok {
			out[s.Path[0]] = replaced(v, s.Path[1:], evaluate.Redacted)
		}
	}
	return out
}

// replaced is a copy of v in which the value at a path is another. A path that
// leads nowhere replaces all of what it got to.
func replaced(v any, path []string, with any) any {
	if len(path) == 0 {
		return with
	}
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v[path[0]]; ok {
			c := maps.Clone(v)
			c[path[0]] = replaced(v[path[0]], path[1:], with)
			return c
		}
	case []any:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(v) {
			c := slices.Clone(v)
			c[i] = replaced(v[i], path[1:], with)
			return c
		}
	}
	return with
}

// RestoreSecrets fills in the secrets that JSON does not hold, from the variables
// of the environment that they came from. It reports those that it cannot fill in;
// the attributes that hold them stay absent.
func (r *Run) RestoreSecrets(lookupEnv func(name string) (string, bool)) error {
	var missing []string
	for _, b := range r.plugins() {
		missing = append(missing, b.restore(lookupEnv)...)
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the run's record does not hold secrets, and these cannot be had from the environment: %s; name the run file again to go on with it",
		strings.Join(missing, ", "))
}

// plugins are the run's blocks of plugins.
func (r *Run) plugins() []*PluginBlock {
	out := []*PluginBlock{&r.Kernels}
	for i := range r.Loggers {
		out = append(out, &r.Loggers[i])
	}
	return out
}

func (b *PluginBlock) restore(lookupEnv func(string) (string, bool)) (missing []string) {
	for _, name := range slices.Sorted(maps.Keys(b.withheld)) {
		v, whole := b.withheld[name], true
		for _, s := range b.Secrets {
			if s.Path[0] != name {
				continue
			}
			value, ok := "", false
			if s.Env != "" {
				value, ok = lookupEnv(s.Env)
			}
			if !ok {
				at := blockName(b.Kind, b.Name) + " " + strings.Join(s.Path, ".")
				if s.Env != "" {
					at += " (" + s.Env + " is not set)"
				}
				missing, whole = append(missing, at), false
				continue
			}
			v = replaced(v, s.Path[1:], value)
		}
		if whole {
			b.Values[name] = v
			delete(b.withheld, name)
		}
	}
	return missing
}
