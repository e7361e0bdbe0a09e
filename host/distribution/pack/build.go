package pack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
	"github.com/honeml/hone/sdk/plugin"
)

// A Source is Go source that plugins are built from.
type Source struct {
	Folder  string // of package main
	Name    string // of the plugin; "": as the package is called
	Version string // put into the variable version of package main; "": what stands there
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// PluginName is the plugin's full name: that of the package, without hone-plugin-.
func (s *Source) PluginName(ctx context.Context) (string, error) {
	if s.Name != "" {
		return s.Name, release.CheckName(s.Name)
	}
	listed, err := s.run(ctx, nil, "list", "-f", "{{.Name}} {{.ImportPath}}", ".")
	if err != nil {
		return "", err
	}
	kind, importPath, _ := strings.Cut(strings.TrimSpace(listed), " ")
	if kind != "main" {
		return "", fault.New(fault.BadInput, "%s holds package %s; a plugin is a package main", s.Folder, kind)
	}
	base := path.Base(importPath)
	if majorVersion.MatchString(base) {
		base = path.Base(path.Dir(importPath))
	}
	name := strings.TrimPrefix(base, plugin.FilePrefix)
	if err := release.CheckName(name); err != nil {
		return "", fault.New(fault.BadInput, "the package %s: %w", importPath, err).WithHint("-name says how the plugin is called")
	}
	return name, nil
}

// Build compiles the plugin called name for platforms, without cgo, into the folder out,
// and gives the binaries' paths.
func (s *Source) Build(ctx context.Context, name string, platforms []release.Platform, out string) (map[release.Platform]string, error) {
	flags := "-s -w"
	if s.Version != "" {
		flags += " -X main.version=" + s.Version
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	binaries := map[release.Platform]string{}
	for _, p := range platforms {
		binaries[p] = filepath.Join(out, string(p), release.BinaryName(name, p))
		env := []string{"CGO_ENABLED=0", "GOOS=" + p.OS(), "GOARCH=" + p.Arch()}
		if _, err := s.run(ctx, env, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", binaries[p], "."); err != nil {
			return nil, fmt.Errorf("for %s: %w", p, err)
		}
	}
	return binaries, nil
}

// run runs go in the source's folder.
func (s *Source) run(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.Folder
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.String(), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", fault.New(fault.Unsupported, "plugins are built with Go, and there is no program go").WithHint("install Go, or give binaries that are built")
	}
	return "", fmt.Errorf("go %s in %s: %w\n%s", args[0], s.Folder, err, strings.TrimSpace(stderr.String()))
}

// PlatformOf is the platform that a binary of Go was built for; "" for others.
func PlatformOf(path string) (release.Platform, error) {
	b, err := readBuildInfo(path)
	return b.platform, err
}
