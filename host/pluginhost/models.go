package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// A ModelPlugin is a model plugin and what it says of itself.
type ModelPlugin struct {
	Plugin
	Description *model.Description
}

// A LoggerPlugin is a logger plugin and what it says of itself.
type LoggerPlugin struct {
	Plugin
	Description *logger.Description
}

// Models are all model plugins that say what they are. The error joins what is
// wrong with the others; the list is good nonetheless.
func (c *Catalog) Models(ctx context.Context) ([]ModelPlugin, error) {
	plugins, descriptions, err := c.describeAll(ctx, plugin.Model)
	out := make([]ModelPlugin, len(plugins))
	for i, p := range plugins {
		out[i] = ModelPlugin{Plugin: p, Description: descriptions[i].Model}
	}
	return out, err
}

// Loggers are all logger plugins that say what they are. The error joins what is
// wrong with the others; the list is good nonetheless.
func (c *Catalog) Loggers(ctx context.Context) ([]LoggerPlugin, error) {
	plugins, descriptions, err := c.describeAll(ctx, plugin.Logger)
	out := make([]LoggerPlugin, len(plugins))
	for i, p := range plugins {
		out[i] = LoggerPlugin{Plugin: p, Description: descriptions[i].Logger}
	}
	return out, err
}

// describeAll describes the plugins of a kind, several at a time.
func (c *Catalog) describeAll(ctx context.Context, kind plugin.Kind) ([]Plugin, []description, error) {
	var plugins []Plugin
	for _, p := range c.found.Plugins {
		if p.Kind == kind {
			plugins = append(plugins, p)
		}
	}
	descriptions := make([]description, len(plugins))
	errs := make([]error, len(plugins))
	var group errgroup.Group
	group.SetLimit(4)
	for i := range plugins {
		group.Go(func() error {
			plugins[i], descriptions[i], errs[i] = c.describe(ctx, plugins[i])
			return nil
		})
	}
	_ = group.Wait() // the errors stand in errs
	var good []Plugin
	var theirs []description
	for i, err := range errs {
		if err == nil {
			good, theirs = append(good, plugins[i]), append(theirs, descriptions[i])
		}
	}
	return good, theirs, errors.Join(errs...)
}

// ModelFor is the model plugin that answers for one of a configuration's
// architectures, such as LlamaForCausalLM. Where several do, one from an earlier
// folder of the search wins; two in one folder are an error.
func (c *Catalog) ModelFor(ctx context.Context, architectures ...string) (ModelPlugin, error) {
	return c.modelFor(ctx, strings.Join(architectures, ", "), func(d *model.Description) bool {
		return slices.ContainsFunc(architectures, func(a string) bool { return slices.Contains(d.Architectures, a) })
	})
}

// ModelForGGUF is the same for general.architecture of a GGUF file, such as llama. Of a
// file with experts, [model.WithExperts] follows the name; where no plugin answers for
// these in particular, the one for all files of the architecture does.
func (c *Catalog) ModelForGGUF(ctx context.Context, architecture string) (ModelPlugin, error) {
	if all, mixed := strings.CutSuffix(architecture, model.WithExperts); mixed {
		found, err := c.modelForGGUF(ctx, architecture)
		if none := (*NoModelError)(nil); !errors.As(err, &none) {
			return found, err
		}
		architecture = all
	}
	return c.modelForGGUF(ctx, architecture)
}

func (c *Catalog) modelForGGUF(ctx context.Context, architecture string) (ModelPlugin, error) {
	return c.modelFor(ctx, architecture, func(d *model.Description) bool {
		return slices.Contains(d.GGUFArchitectures, architecture)
	})
}

func (c *Catalog) modelFor(ctx context.Context, wanted string, answers func(*model.Description) bool) (ModelPlugin, error) {
	models, broken := c.Models(ctx)
	if err := ctx.Err(); err != nil {
		return ModelPlugin{}, err
	}
	var found []ModelPlugin
	missing := &NoModelError{Architecture: wanted, Broken: broken}
	for _, m := range models {
		if answers(m.Description) {
			found = append(found, m)
		}
		missing.Installed = append(missing.Installed, m.String())
	}
	if len(found) == 0 {
		return ModelPlugin{}, missing
	}
	if len(found) > 1 && found[0].Directory == found[1].Directory {
		return ModelPlugin{}, fmt.Errorf("both %s and %s answer for %s: remove one of them", found[0].Path, found[1].Path, wanted)
	}
	return found[0], nil
}
