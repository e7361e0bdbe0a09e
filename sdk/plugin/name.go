package plugin

import (
	"regexp"
	"strings"
)

// FilePrefix begins the file name of every plugin; the name of its folder in the
// source tree follows: hone-plugin-cpu-kernels, hone-plugin-model-llama,
// hone-plugin-logger-wandb.
const FilePrefix = "hone-plugin-"

// NameRule says what [ParseName] accepts.
const NameRule = "NAME-kernels, model-NAME or logger-NAME in lower-case letters, digits, - and _"

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// ParseName reads a plugin's full name, that of its folder: model-llama is the
// model plugin llama, cpu-kernels the kernels plugin cpu.
func ParseName(full string) (kind Kind, name string, ok bool) {
	if rest, found := strings.CutPrefix(full, string(Model)+"-"); found {
		kind, name = Model, rest
	} else if rest, found := strings.CutPrefix(full, string(Logger)+"-"); found {
		kind, name = Logger, rest
	} else if rest, found := strings.CutSuffix(full, "-"+string(Kernels)); found {
		kind, name = Kernels, rest
	}
	return kind, name, namePattern.MatchString(name)
}
