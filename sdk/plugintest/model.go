package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/honeml/hone/sdk/graph"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// ModelOptions say how a model plugin is tested.
type ModelOptions struct {
	// Configurations are small ones, as config.json holds them, of what the plugin
	// answers for: a layer or two, widths below some hundred. Without any, each
	// architecture is tried with one in the form of Llama's.
	Configurations [][]byte
	// Skip lists rules that are left out, by their ids; Only, if not empty, those that
	// are not.
	Skip, Only []string
}

// CheckModel runs the rules of model plugins.
func CheckModel(ctx context.Context, begin Start[model.Model], o ModelOptions) *Report {
	report := &Report{Kind: plugin.Model}
	k, err := openModelKit(ctx, begin, o)
	if err != nil {
		report.Results = hopeless(modelRules(), err)
		return report
	}
	defer k.close()
	report.Name, report.Version = k.description.Name, k.description.Version
	report.Results = runRules(ctx, modelRules(), k, selection{o.Skip, o.Only})
	return report
}

// modelRules are the rules in the order in which they are run.
func modelRules() []rule[*modelKit] {
	return slices.Concat([]rule[*modelKit]{
		{"model/describe", "it says its name, its version and the architectures that it answers for, each time the same", modelDescribe},
	}, modelBuildRules(), modelMistakeRules(), modelGGUFRules())
}

// A modelKit is what the rules share.
type modelKit struct {
	start          Start[model.Model]
	description    *model.Description
	configurations [][]byte // that Build takes
	refused        error    // of those that were tried and that it does not take
	dir            string
	close          func()
}

func openModelKit(ctx context.Context, begin Start[model.Model], o ModelOptions) (*modelKit, error) {
	dir, err := os.MkdirTemp("", "plugintest-")
	if err != nil {
		return nil, err
	}
	k := &modelKit{start: begin, dir: dir, close: func() { os.RemoveAll(dir) }}
	if err := k.prepare(ctx, o); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *modelKit) prepare(ctx context.Context, o ModelOptions) error {
	instance, err := k.start(ctx)
	if err != nil {
		return err
	}
	defer instance.Close()
	if k.description, err = instance.Service.Describe(ctx); err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if k.description == nil {
		return errors.New("describe: neither a description nor an error")
	}
	if len(o.Configurations) > 0 {
		k.configurations = o.Configurations // Build has to take them
		return nil
	}
	var refused []error
	for _, architecture := range k.description.Architectures {
		c := likeLlama(architecture)
		if _, err := instance.Service.Build(ctx, &model.BuildRequest{Configuration: c}); err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", architecture, err))
			continue
		}
		k.configurations = append(k.configurations, c)
	}
	k.refused = errors.Join(refused...)
	return nil
}

// likeLlama is a small configuration with the keys that most decoders share.
func likeLlama(architecture string) []byte {
	data, err := json.Marshal(map[string]any{
		"architectures": []string{architecture}, "vocab_size": 96, "hidden_size": 32, "intermediate_size": 48,
		"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
		"max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
		"tie_word_embeddings": false,
	})
	if err != nil {
		panic(err) // it marshals
	}
	return data
}

// eachConfiguration does f for each configuration, or skips the rule.
func (k *modelKit) eachConfiguration(c *check, f func(configuration []byte, m model.Model)) {
	if len(k.configurations) == 0 {
		c.skip("no configuration to try: ModelOptions gives none, and in the form of Llama's it is refused: %v", k.refused)
	}
	m := start(c, k.start).Service
	for _, configuration := range k.configurations {
		f(configuration, m)
	}
}

// build builds or ends the rule.
func build(c *check, m model.Model, req *model.BuildRequest) *graph.Graph {
	g, err := m.Build(c, req)
	c.must(err, "Build of %s", summary(req.Configuration))
	if g == nil {
		c.fail("Build of %s: neither a graph nor an error", summary(req.Configuration))
	}
	return g
}

// summary is a configuration short enough for a message.
func summary(configuration []byte) string {
	if len(configuration) > 200 {
		return string(configuration[:200]) + "…"
	}
	return string(configuration)
}

// parsed is a configuration as JSON has it.
func parsed(c *check, configuration []byte) map[string]any {
	values := map[string]any{}
	c.must(json.Unmarshal(configuration, &values), "reading a configuration of the options")
	return values
}

// changed is a configuration with another value for a key; nil removes it.
func changed(c *check, configuration []byte, key string, value any) []byte {
	values := maps.Clone(parsed(c, configuration))
	if value == nil {
		delete(values, key)
	} else {
		values[key] = value
	}
	data, err := json.Marshal(values)
	c.must(err, "writing a configuration")
	return data
}

func modelDescribe(c *check, k *modelKit) {
	d := k.description
	checkNameAndVersion(c, d.Name, d.Version)
	if len(d.Architectures)+len(d.GGUFArchitectures) == 0 {
		c.fail("it answers for no architecture")
	}
	within(c, "architectures", d.Architectures, nil)
	within(c, "GGUF architectures", d.GGUFArchitectures, nil)
	within(c, "capabilities", d.Capabilities, nil)
	again, err := start(c, k.start).Service.Describe(c)
	c.must(err, "Describe")
	if fmt.Sprint(*again) != fmt.Sprint(*d) {
		c.fail("it describes itself as %+v and as %+v", *d, *again)
	}
}
