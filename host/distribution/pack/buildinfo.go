package pack

import (
	"debug/buildinfo"
	"os"
	"runtime/debug"

	"github.com/honeml/hone/host/distribution/release"
)

// sdkModule is the module that holds the SDK.
const sdkModule = "github.com/honeml/hone"

// built is what a binary says of how it was built; its fields are empty where it
// does not, as one that is not of Go.
type built struct {
	platform release.Platform
	sdk      string
}

func readBuildInfo(path string) (built, error) {
	if _, err := os.Stat(path); err != nil {
		return built{}, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return built{}, nil //nolint:nilerr // a plugin may be written in any language
	}
	var b built
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if p, err := release.ParsePlatform(settings["GOOS"] + "_" + settings["GOARCH"]); err == nil {
		b.platform = p
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == sdkModule {
			b.sdk = moduleVersion(m)
		}
	}
	return b, nil
}

// moduleVersion is the version of a module that has one; a folder has none.
func moduleVersion(m *debug.Module) string {
	if m.Replace != nil {
		m = m.Replace
	}
	if m.Version == "(devel)" {
		return ""
	}
	return m.Version
}
