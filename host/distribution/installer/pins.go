package installer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/honeml/hone/host/distribution/lock"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/store"
	"github.com/honeml/hone/host/pluginhost"
	"github.com/honeml/hone/host/runfile"
	"github.com/honeml/hone/sdk/config"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// A Pinning is what may be started: who says so, and where to look.
type Pinning struct {
	// Lock is what is locked; nil where there is no lock file.
	Lock *lock.File
	// Authority is who locked it, such as hone.lock.hcl.
	Authority string
	// Init is what to type to put right what is wrong.
	Init     string
	Store    *store.Store
	Platform release.Platform
	// Found are plugins outside the store. One that is what is locked will do.
	Found []pluginhost.Plugin
	// Dev are plugins that the user overrides: nothing is demanded of them.
	Dev []string
}

// Pins says what to start for each plugin that is locked, and what is wrong with those
// that are required.
func (p *Pinning) Pins(required []runfile.Requirement) ([]pluginhost.Override, map[string]config.Diagnostic) {
	problems := map[string]config.Diagnostic{}
	for _, q := range required {
		if slices.Contains(p.Dev, q.Name) {
			continue
		}
		if d := p.demand(q); d != nil {
			problems[q.Name] = *d
		}
	}
	if p.Lock == nil {
		return nil, problems
	}
	var overrides []pluginhost.Override
	for _, locked := range p.Lock.Plugins {
		if slices.Contains(p.Dev, locked.Name) {
			continue
		}
		kind, name, _ := plugin.ParseName(locked.Name)
		o := pluginhost.Override{
			Plugin: pluginhost.Plugin{Kind: kind, Name: name},
			Reason: fmt.Sprintf("%s names %s of %s", p.Authority, locked, locked.Source),
		}
		required := slices.ContainsFunc(required, func(q runfile.Requirement) bool { return q.Name == locked.Name })
		path, err := p.binary(locked)
		switch {
		case err == nil:
			hash := locked.Binaries[p.Platform]
			o.Plugin.Path, o.Plugin.Checksum, o.Plugin.Authority = path, hash[:], p.Authority
		case required && problems[locked.Name].Summary == "":
			problems[locked.Name] = config.Diagnostic{Summary: "Plugin that cannot be started", Detail: p.withAdvice(err)}
		}
		overrides = append(overrides, o)
	}
	return overrides, problems
}

// demand compares a requirement with what is locked.
func (p *Pinning) demand(q runfile.Requirement) *config.Diagnostic {
	if p.Lock == nil {
		return &config.Diagnostic{
			Summary: "Plugin that is not locked",
			Detail:  fmt.Sprintf("There is no %s beside the run file, which would say which %s to run: %s installs it and writes that file", p.Authority, q.Name, p.Init),
		}
	}
	if problem := misfit(q, p.Lock.Find(q.Name)); problem != "" {
		return &config.Diagnostic{Summary: "Plugin that is not locked as required", Detail: q.Name + ": " + problem + ": " + p.Init + " finds a version that fits"}
	}
	return nil
}

// binary is the path of what is locked, on this platform.
func (p *Pinning) binary(locked lock.Plugin) (string, error) {
	hash, ok := locked.Binaries[p.Platform]
	if !ok {
		return "", noPlatform(locked, p.Authority, p.Platform)
	}
	if e := p.Store.Find(locked.Name, p.Platform, hash); e != nil {
		if err := p.Store.Verify(*e); err != nil {
			return "", err
		}
		return e.Path, nil
	}
	other := ""
	for _, found := range p.Found {
		if found.String() != locked.Name {
			continue
		}
		got, err := pluginhost.Checksum(found.Path)
		if err == nil && bytes.Equal(got, hash[:]) {
			return found.Path, nil
		}
		other = fmt.Sprintf("; %s is another binary, which -dev %s=%s would run", found.Path, locked.Name, found.Path)
	}
	return "", fmt.Errorf("%s, which %s names, is not installed%s", locked, p.Authority, other)
}

// withAdvice is an error with what to do about it.
func (p *Pinning) withAdvice(err error) string {
	var changed *store.ChangedError
	switch {
	case fault.HintOf(err) != "":
		return err.Error() + ": " + fault.HintOf(err)
	case errors.As(err, &changed), errors.Is(err, os.ErrNotExist):
		return err.Error() + ": " + p.Init + " installs it again"
	}
	return err.Error() + ": " + p.Init + " installs it"
}

// noPlatform is the error for a platform that is not locked.
func noPlatform(locked lock.Plugin, authority string, platform release.Platform) error {
	var have []string
	for _, p := range slices.Sorted(maps.Keys(locked.Binaries)) {
		have = append(have, string(p))
	}
	return fault.New(fault.Unsupported, "%s has %s for %s, and not for %s, which this machine is",
		authority, locked, strings.Join(have, ", "), platform).
		WithHint("hone init adds the platform where the release has it")
}
