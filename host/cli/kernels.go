package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/host/train"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/plugin"
)

// The kernels plugins that are taken where nobody names one.
const (
	gpuKernels = "cuda"
	cpuKernels = runfile.DefaultKernels
)

// kernelsVariable names the kernels plugin in the place of hone's choice.
const kernelsVariable = "HONE_KERNELS"

// A choice is the kernels plugin that is taken where nobody names one.
type choice struct {
	name string
	// own says that it is hone's own: where the plugin cannot be used, the CPU's takes
	// its place.
	own  bool
	note string // why it is not the GPU's; "" where that needs no word
}

// chooseKernels takes the GPU's plugin where there seems to be a GPU, or where the run
// is planned for a device elsewhere; HONE_KERNELS decides otherwise. No process is
// started for that: whether the GPU can be used is what Bind says.
func (a *app) chooseKernels(elsewhere bool) (choice, error) {
	if name := os.Getenv(kernelsVariable); name != "" {
		_, err := a.plugins().Find(plugin.Kernels, name)
		if err != nil {
			err = usageError{fmt.Errorf("%s: %w", kernelsVariable, err)}
		}
		return choice{name: name}, err
	}
	found, why := a.machine.Look()
	_, err := a.plugins().Find(plugin.Kernels, gpuKernels)
	switch {
	case elsewhere && err == nil:
		return choice{name: gpuKernels}, nil
	case !found:
	case err != nil:
		why = "there is an NVIDIA GPU, but no " + pluginhost.Prefix + gpuKernels + "-" + string(plugin.Kernels)
	default:
		return choice{name: gpuKernels, own: true}, nil
	}
	return choice{name: cpuKernels, own: true, note: why + ": training on the CPU"}, nil
}

// selected is the kernels plugin of a command.
type selected struct {
	app         *app
	block       *runfile.PluginBlock // what it is told; another's where another takes its place
	own         bool                 // see choice
	plugin      pluginhost.Plugin
	description *kernels.Description
	note        string // what a user has to know of the choice; "" for nothing
}

// selectKernels finds the plugin that block names; own says that hone chose it.
func (a *app) selectKernels(ctx context.Context, block *runfile.PluginBlock, own bool) (*selected, error) {
	k := &selected{app: a, block: block, own: own}
	var err error
	k.plugin, k.description, err = a.plugins().Kernels(ctx, block.Name)
	var missing *pluginhost.NotFoundError
	switch {
	case errors.As(err, &missing) && own && block.Name != cpuKernels:
		// A run that began on another machine.
		return k, k.replace(ctx, err)
	case err != nil:
		return nil, err
	}
	if c, err := a.chooseKernels(false); err == nil && own && c.name == block.Name {
		k.note = c.note
	}
	return k, nil
}

// replaceable reports whether the CPU's plugin takes the place of one that hone chose
// itself and that answers err.
func (k *selected) replaceable(err error) bool {
	return k.own && k.block.Name != cpuKernels && errors.Is(err, fault.Unsupported)
}

// replace puts the CPU's plugin in the place of the selected one, and notes why.
func (k *selected) replace(ctx context.Context, why error) error {
	p, d, err := k.app.plugins().Kernels(ctx, cpuKernels)
	if err != nil {
		return errors.Join(why, err)
	}
	k.note = fmt.Sprintf("the GPU is not used: %s; training on the CPU (hone doctor says more)", strings.ReplaceAll(why.Error(), "\n", "; "))
	k.plugin, k.description = p, d
	*k.block = runfile.PluginBlock{Kind: runfile.KindKernels, Name: cpuKernels, Values: d.Schema.Defaults()}
	return nil
}

// start starts the plugin.
func (k *selected) start(ctx context.Context) (*kernelsProcess, error) {
	b := &selectedBackend{selected: k}
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	return &kernelsProcess{b}, nil
}

// selectedBackend is the service of the selected plugin. One that hone chose and that
// cannot be used gives way to the CPU's.
type selectedBackend struct {
	kernels.Backend
	selected *selected
	process  *pluginhost.Process
}

func (b *selectedBackend) start(ctx context.Context) error {
	p, err := pluginhost.Start(ctx, b.selected.plugin, b.selected.app.pluginOptions(grants(*b.selected.block)))
	if err != nil {
		return err
	}
	b.Backend, b.process = p.Kernels(), p
	return nil
}

// Bind asks for the plan; the plugin's block is filled in.
func (b *selectedBackend) Bind(ctx context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	return b.ask(ctx, req, kernels.Backend.Bind)
}

// Estimate asks for an estimate of the plan; the plugin's block is filled in.
func (b *selectedBackend) Estimate(ctx context.Context, req *kernels.BindRequest) (*kernels.Plan, error) {
	return b.ask(ctx, req, kernels.Backend.Estimate)
}

// ask asks for a plan and, where the plugin gives way, the CPU's.
func (b *selectedBackend) ask(
	ctx context.Context, req *kernels.BindRequest, call func(kernels.Backend, context.Context, *kernels.BindRequest) (*kernels.Plan, error),
) (*kernels.Plan, error) {
	filled := *req
	filled.Settings.Config = b.selected.block.Values
	plan, err := call(b.Backend, ctx, &filled)
	if err == nil || !b.selected.replaceable(err) {
		return plan, err
	}
	if err := b.giveWay(ctx, err); err != nil {
		return nil, err
	}
	filled.Settings.Config = b.selected.block.Values
	if plan, err = call(b.Backend, ctx, &filled); err != nil {
		return nil, err
	}
	plan.Notes = append([]string{b.selected.note}, plan.Notes...)
	return plan, nil
}

// giveWay starts the CPU's plugin in the place of one that answered why.
func (b *selectedBackend) giveWay(ctx context.Context, why error) error {
	if err := b.end(ctx); err != nil {
		b.selected.app.log().Warn("closing a plugin", "error", err)
	}
	if err := b.selected.replace(ctx, why); err != nil {
		return err
	}
	return b.start(ctx)
}

// end lets the plugin close and ends its process.
func (b *selectedBackend) end(ctx context.Context) error {
	select {
	case <-b.process.Exited():
	default:
		closing, cancel := context.WithTimeout(ctx, 5*time.Second)
		_ = b.process.Kernels().Close(closing) // the process ends in any case
		cancel()
	}
	return b.process.Close(ctx)
}

// kernelsProcess is a kernels plugin that runs.
type kernelsProcess struct{ backend *selectedBackend }

// Backend is its service.
func (p *kernelsProcess) Backend() kernels.Backend { return p.backend }

// Close lets the plugin close and ends its process.
func (p *kernelsProcess) Close(ctx context.Context) error { return p.backend.end(ctx) }

// Interface guard.
var _ train.Process = (*kernelsProcess)(nil)
