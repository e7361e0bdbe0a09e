package source

import (
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// A Kind is a kind of source.
type Kind string

// The kinds of sources.
const (
	Folder  Kind = "folder"   // a path: a release's files, or a static tree
	Archive Kind = "archive"  // a path: one archive
	Tree    Kind = "tree"     // the URL of a static tree: https:// or file://
	GitHub  Kind = "github"   // OWNER/NAME
	OCI     Kind = "registry" // REGISTRY/REPOSITORY
)

// An Address says where a source is.
type Address struct {
	Kind     Kind
	Location string // as the kind has it
}

// addressHint is what an address can be.
const addressHint = "a source is ./a-folder, ./an-archive.tar.gz, https://host/path, file:///path, github.com/OWNER/NAME or oci://registry/repository"

var (
	githubPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/\.?[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}$`)
	repositoryPattern = regexp.MustCompile(`^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)
)

// Parse reads an address as it stands in a run file. A path on this machine begins
// with ./, ../ or /.
func Parse(text string) (Address, error) {
	a, problem := parse(text)
	if problem != "" {
		return Address{}, fault.New(fault.BadInput, "source %.200q: %s", text, problem).WithHint(addressHint)
	}
	return a, nil
}

func parse(text string) (a Address, problem string) {
	if rest, ok := strings.CutPrefix(text, "oci://"); ok {
		return parseOCI(rest)
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(text, "https://"), "github.com/"); ok {
		rest = strings.TrimSuffix(strings.TrimSuffix(rest, "/"), ".git")
		if !githubPattern.MatchString(rest) {
			return a, "GitHub's repositories look like github.com/OWNER/NAME"
		}
		return Address{GitHub, rest}, ""
	}
	if scheme, _, ok := strings.Cut(text, "://"); ok {
		return parseURL(text, strings.ToLower(scheme))
	}
	if !isPath(text) {
		return a, "neither a path, which would begin with ./, ../ or /, nor a URL"
	}
	if release.IsArchive(text) {
		return Address{Archive, filepath.Clean(text)}, ""
	}
	return Address{Folder, filepath.Clean(text)}, ""
}

func isPath(text string) bool {
	if filepath.IsAbs(text) || text == "." || text == ".." {
		return true
	}
	slashed := filepath.ToSlash(text)
	return strings.HasPrefix(slashed, "./") || strings.HasPrefix(slashed, "../")
}

func parseURL(text, scheme string) (a Address, problem string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return a, "no URL"
	case u.User != nil:
		return a, "a name or password does not belong in an address, which is written to the lock file"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return a, "an address has no ? or #"
	}
	switch scheme {
	case "https":
	case "http":
		if !web.Loopback(u.Hostname()) {
			return a, "http:// is spoken with this machine alone; use https://"
		}
	case "file":
		if u.Host != "" && u.Host != "localhost" || !path.IsAbs(u.Path) {
			return a, "a file's URL is file:///path"
		}
		u.Host = ""
	default:
		return a, "there are no sources with " + scheme + "://"
	}
	if scheme != "file" && u.Host == "" {
		return a, "no host"
	}
	u.Scheme = scheme
	u.Path = path.Clean("/" + u.Path)
	u.RawPath = ""
	return Address{Tree, strings.TrimSuffix(u.String(), "/")}, ""
}

func parseOCI(rest string) (a Address, problem string) {
	host, repository, ok := strings.Cut(rest, "/")
	u, err := url.Parse("https://" + host)
	if !ok || err != nil || u.Host != host || host == "" {
		return a, "a registry's address is oci://registry/repository"
	}
	if !repositoryPattern.MatchString(repository) || len(repository) > 255 {
		return a, "the name of a repository is in lower-case letters and digits with . _ - and / between, and without a tag: the version is the tag"
	}
	return Address{OCI, rest}, ""
}

// localPath is the path of a file:// URL as Parse writes it.
func localPath(location string) (path string, ok bool) {
	u, err := url.Parse(location)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	path = u.Path
	if len(path) > 2 && path[2] == ':' { // /C:/plugins
		path = path[1:]
	}
	return filepath.FromSlash(path), true
}

// String is the address as Parse reads it.
func (a Address) String() string {
	switch a.Kind {
	case GitHub:
		return "github.com/" + a.Location
	case OCI:
		return "oci://" + a.Location
	case Folder, Archive:
		if slashed := filepath.ToSlash(a.Location); !isPath(slashed) {
			return "./" + slashed
		}
		return filepath.ToSlash(a.Location)
	}
	return a.Location
}

// In is the address where a relative path starts in dir, the folder of the file that
// the address stands in.
func (a Address) In(dir string) Address {
	if (a.Kind == Folder || a.Kind == Archive) && !filepath.IsAbs(a.Location) {
		a.Location = filepath.Join(dir, a.Location)
	}
	return a
}
