package release

import (
	"regexp"
	"runtime"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// A Platform is an operating system and an architecture, as Go calls them, with _
// between: linux_amd64.
type Platform string

// Here is the platform of the running program.
func Here() Platform { return Platform(runtime.GOOS + "_" + runtime.GOARCH) }

var platformPattern = regexp.MustCompile(`^[a-z][a-z0-9]{1,15}_[a-z0-9]{2,16}$`)

// ParsePlatform reads a platform, in either of the two ways to write one: linux_amd64
// and linux/amd64.
func ParsePlatform(text string) (Platform, error) {
	p := strings.Replace(text, "/", "_", 1)
	if !platformPattern.MatchString(p) {
		return "", fault.New(fault.BadInput, "%.80q is no platform, which looks like linux_amd64", text)
	}
	return Platform(p), nil
}

// OS is Go's name of the operating system.
func (p Platform) OS() string {
	os, _, _ := strings.Cut(string(p), "_")
	return os
}

// Arch is Go's name of the architecture.
func (p Platform) Arch() string {
	_, arch, _ := strings.Cut(string(p), "_")
	return arch
}
