package pluginhost

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// describeTimeout bounds a plugin's start and its answer to Describe.
const describeTimeout = 20 * time.Second

// A Catalog knows the plugins that are installed and what each says of itself. Its
// methods may be called from several goroutines.
type Catalog struct {
	found  *Discovery
	cache  cache
	logger hclog.Logger

	mu        sync.Mutex
	described map[string]*describing // by path
}

// describing is one plugin's description, asked for once.
type describing struct {
	once      sync.Once
	entry     *cacheEntry
	err       error
	abandoned bool // the caller's context ended
}

// CatalogOptions say where a catalog looks and what it keeps.
type CatalogOptions struct {
	Directories []Directory
	// Installed are plugins that an installer keeps. One that a directory holds, too,
	// is shadowed.
	Installed []Plugin
	// Overrides stand above all that is found.
	Overrides   []Override
	CacheFolder string       // "": nothing is kept
	Logger      hclog.Logger // of plugins that have to be asked; nil: nobody
}

// An Override says which binary a plugin is, whatever else is found under its name.
type Override struct {
	Plugin Plugin // its Path is "" where none may be used
	Reason string // why the others are left alone: "hone.lock.hcl names version 1.2.0"
}

// DefaultOptions are those of the running program, from its environment: see [Search]
// and [CacheFolder].
func DefaultOptions(logger hclog.Logger) CatalogOptions {
	program, err := os.Executable()
	if err != nil {
		program = ""
	}
	return CatalogOptions{
		Directories: Search(program, os.Getenv), CacheFolder: CacheFolder(os.Getenv), Logger: logger,
	}
}

// CacheFolder is where descriptions are kept: below HONE_CACHE_DIR, or hone's
// folder among the user's caches. "": nowhere.
func CacheFolder(getenv func(string) string) string {
	if dir := getenv("HONE_CACHE_DIR"); dir != "" {
		return filepath.Join(dir, "plugins")
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "hone", "plugins")
}

// NewCatalog looks for plugins. None is opened or started yet.
func NewCatalog(opts CatalogOptions) *Catalog {
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	found := Discover(opts.Directories)
	for _, p := range opts.Installed {
		p.Directory = len(opts.Directories)
		found.add(p)
	}
	for _, o := range opts.Overrides {
		found.override(o)
	}
	return &Catalog{
		found: found, cache: cache{opts.CacheFolder}, logger: opts.Logger,
		described: map[string]*describing{},
	}
}

// Plugins are those that were found, in the order of the search.
func (c *Catalog) Plugins() []Plugin { return slices.Clone(c.found.Plugins) }

// Skipped is what was found, or looked for, and is not used, and why.
func (c *Catalog) Skipped() []Skipped { return slices.Clone(c.found.Skipped) }

// Find is the plugin of that kind and name. The error is a [*NotFoundError].
func (c *Catalog) Find(kind plugin.Kind, name string) (Plugin, error) {
	var names []string
	for _, p := range c.found.Plugins {
		if p.Kind == kind {
			if p.Name == name {
				return p, nil
			}
			names = append(names, p.Name)
		}
	}
	err := &NotFoundError{Kind: kind, Name: name, Installed: names}
	wanted := Plugin{Kind: kind, Name: name}
	for _, s := range c.found.Skipped {
		if filepath.Base(s.Path) == Prefix+wanted.String()+executableSuffix {
			err.Skipped = append(err.Skipped, s)
		}
	}
	return Plugin{}, err
}

// Kernels is the kernels plugin called name, with its checksum, and what it says of
// itself.
func (c *Catalog) Kernels(ctx context.Context, name string) (Plugin, *kernels.Description, error) {
	p, d, err := c.lookUp(ctx, plugin.Kernels, name)
	return p, d.Kernels, err
}

// Logger is the logger plugin called name, with its checksum, and what it says of
// itself.
func (c *Catalog) Logger(ctx context.Context, name string) (Plugin, *logger.Description, error) {
	p, d, err := c.lookUp(ctx, plugin.Logger, name)
	return p, d.Logger, err
}

// Model is the model plugin called name, with its checksum, and what it says of
// itself. [Catalog.ModelFor] finds the one for an architecture.
func (c *Catalog) Model(ctx context.Context, name string) (Plugin, *model.Description, error) {
	p, d, err := c.lookUp(ctx, plugin.Model, name)
	return p, d.Model, err
}

func (c *Catalog) lookUp(ctx context.Context, kind plugin.Kind, name string) (Plugin, description, error) {
	p, err := c.Find(kind, name)
	if err != nil {
		return Plugin{}, description{}, err
	}
	return c.describe(ctx, p)
}

// describe is p with its checksum, and what it says of itself: from the cache, or
// by asking it.
func (c *Catalog) describe(ctx context.Context, p Plugin) (Plugin, description, error) {
	c.mu.Lock()
	one := c.described[p.Path]
	if one == nil {
		one = new(describing)
		c.described[p.Path] = one
	}
	c.mu.Unlock()
	one.once.Do(func() {
		one.entry, one.err = c.ask(ctx, p)
		one.abandoned = one.err != nil && ctx.Err() != nil
	})
	if one.abandoned && ctx.Err() == nil { // an impatient caller's error is not the next one's
		c.forget(p.Path, one)
		return c.describe(ctx, p)
	}
	if one.err != nil {
		return p, description{}, one.err
	}
	p.Checksum = one.entry.Checksum
	return p, one.entry.Description, nil
}

func (c *Catalog) forget(path string, one *describing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.described[path] == one {
		delete(c.described, path)
	}
}

// ask takes the description from the cache or from the plugin. A plugin whose
// checksum is known has to have it.
func (c *Catalog) ask(ctx context.Context, p Plugin) (*cacheEntry, error) {
	key, err := keyOf(p.Path)
	if err != nil {
		return nil, fmt.Errorf("plugin %s: %w", p, err)
	}
	e := c.cache.load(key, p.Kind)
	kept := e != nil
	if !kept {
		e = &cacheEntry{Format: cacheFormat, Protocol: plugin.ProtocolVersion, Key: key, Kind: p.Kind}
		if e.Checksum, err = Checksum(p.Path); err != nil {
			return nil, fmt.Errorf("plugin %s: %w", p, err)
		}
	}
	if p.Checksum != nil && !bytes.Equal(p.Checksum, e.Checksum) {
		return nil, newChecksumError(p)
	}
	if kept {
		return e, nil
	}
	p.Checksum = e.Checksum
	if e.Description, err = askProcess(ctx, p, c.logger); err != nil {
		return nil, err
	}
	if err := c.cache.store(e); err != nil {
		c.logger.Warn("the description of a plugin cannot be kept; it is asked again each time", "plugin", p.String(), "error", err)
	}
	return e, nil
}

// askProcess starts p, asks what it is, and ends it.
func askProcess(ctx context.Context, p Plugin, log hclog.Logger) (description, error) {
	var d description
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	proc, err := Start(ctx, p, Options{Logger: log, LogLevel: hclog.Warn})
	if err != nil {
		return d, err
	}
	defer func() { _ = proc.Close(context.WithoutCancel(ctx)) }()
	switch p.Kind {
	case plugin.Model:
		d.Model, err = proc.Model().Describe(ctx)
	case plugin.Kernels:
		d.Kernels, err = proc.Kernels().Describe(ctx)
	case plugin.Logger:
		d.Logger, err = proc.Logger().Describe(ctx)
	}
	if err == nil {
		err = d.validate(p.Kind)
	}
	if err != nil {
		return d, fmt.Errorf("plugin %s does not say what it is: %w", p, err)
	}
	return d, nil
}

// Schemas answers questions for schemas, as reading a run file asks them, within ctx.
func (c *Catalog) Schemas(ctx context.Context) Schemas { return Schemas{ctx: ctx, catalog: c} }

// Schemas is a catalog's schemas of plugin blocks.
type Schemas struct {
	ctx     context.Context
	catalog *Catalog
}

// Schema is what the block of a plugin may hold; kind is "kernels" or "logger".
// For a name that is not installed the error is a [*NotFoundError].
func (s Schemas) Schema(kind, name string) (config.Schema, error) {
	switch plugin.Kind(kind) {
	case plugin.Kernels:
		_, d, err := s.catalog.Kernels(s.ctx, name)
		if err != nil {
			return config.Schema{}, err
		}
		return d.Schema, nil
	case plugin.Logger:
		_, d, err := s.catalog.Logger(s.ctx, name)
		if err != nil {
			return config.Schema{}, err
		}
		return d.Schema, nil
	}
	return config.Schema{}, fault.New(fault.BadInput, "a %s plugin has no block in a run file", kind)
}
