package pluginhost

import (
	"runtime"
	"slices"
	"strings"
)

// allowed are the variables of the host's environment that every plugin gets: what
// programs need to find files, libraries, devices, proxies and certificates, and to
// know the user's language. Secrets stand in others: a run file grants those.
var allowed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TZ", "LANG", "LANGUAGE", "TERM", "NO_COLOR",
	"TMPDIR", "LD_LIBRARY_PATH",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
	"GOMAXPROCS", "GOMEMLIMIT", "GOGC", "GODEBUG", "GOTRACEBACK", "GOCOVERDIR", "OMP_NUM_THREADS", "VIRTUAL_ENV", "CONDA_PREFIX",
}

// allowedWindows are what programs on Windows need besides.
var allowedWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "USERPROFILE", "USERNAME", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA",
	"PROGRAMFILES", "PATHEXT", "COMSPEC", "NUMBER_OF_PROCESSORS",
}

// allowedPrefixes begin names of further variables.
var allowedPrefixes = []string{"LC_", "XDG_", "DYLD_", "CUDA_", "NVIDIA_", "NCCL_", "HONE_"}

// refusedPrefixes begin names that are not passed on although allowedPrefixes
// would: values of a run file's variables, which may be secret, and what a host
// says to a plugin, in case the host is a plugin's child.
var refusedPrefixes = []string{"HONE_VAR_", "HONE_PLUGIN"}

// environment is what of the host's environment a plugin gets, and what is granted
// to it, which wins. Both are lists of NAME=VALUE.
func environment(host, granted []string) []string {
	var out []string
	for _, entry := range host {
		if name, _, ok := strings.Cut(entry, "="); ok && isAllowed(name) {
			out = append(out, entry)
		}
	}
	return append(out, granted...)
}

func isAllowed(name string) bool {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
		if slices.Contains(allowedWindows, name) {
			return true
		}
	}
	begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	if slices.ContainsFunc(refusedPrefixes, begins) {
		return false
	}
	return slices.Contains(allowed, name) || slices.ContainsFunc(allowedPrefixes, begins)
}
