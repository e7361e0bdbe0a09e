package source

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/honeml/hone/host/distribution/internal/web"
	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// githubAPI is where GitHub is asked; GITHUB_API_URL names another, as a GitHub
// Enterprise Server has it.
const githubAPI = "https://api.github.com"

// The bounds of what GitHub is asked.
const (
	githubPageBytes = 32 << 20
	githubPages     = 10 // of 100 releases
)

// github is the releases of a repository. A release's tag is the version, with or
// without v; its assets are the release's files.
type github struct {
	client     *web.Client
	api        string
	repository string
	token      string
	name       string // of the plugin; "": the only one that a release holds

	mu       sync.Mutex
	releases map[string]*githubRelease // by version: those that were seen
}

type githubRelease struct {
	Tag    string        `json:"tag_name"`
	Draft  bool          `json:"draft"`
	Assets []githubAsset `json:"assets"`
}

type githubAsset struct {
	Name     string `json:"name"`
	API      string `json:"url"`
	Download string `json:"browser_download_url"`
}

func newGitHub(client *web.Client, repository string, o Options) (*github, error) {
	g := &github{client: client, api: githubAPI, repository: repository, name: o.Name, releases: map[string]*githubRelease{}}
	if api := strings.TrimSuffix(o.Getenv("GITHUB_API_URL"), "/"); api != "" {
		if u, err := url.Parse(api); err != nil || u.Host == "" {
			return nil, fault.New(fault.BadInput, "GITHUB_API_URL is %q, which is no URL", api)
		}
		g.api = api
	}
	for _, name := range []string{"GITHUB_TOKEN", "GH_TOKEN"} {
		if g.token == "" {
			g.token = o.Getenv(name)
		}
	}
	return g, nil
}

// header of a request; the token goes to the API's host alone.
func (g *github) header(address, accept string) http.Header {
	h := http.Header{"Accept": {accept}, "X-Github-Api-Version": {"2022-11-28"}}
	u, err := url.Parse(address)
	api, apiErr := url.Parse(g.api)
	if g.token != "" && err == nil && apiErr == nil && u.Host == api.Host && u.Scheme == api.Scheme {
		h.Set("Authorization", "Bearer "+g.token)
	}
	return h
}

// ask reads an answer of the API; next is the address of the list's next page.
func (g *github) ask(ctx context.Context, address string, into any) (next string, err error) {
	resp, err := g.client.Get(ctx, address, g.header(address, "application/vnd.github+json"), 0)
	if err != nil {
		return "", g.hint(err)
	}
	defer resp.Body.Close()
	data, err := readAll(resp.Body, "GitHub's answer", githubPageBytes)
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return "", fmt.Errorf("GitHub's answer cannot be read: %w", err)
	}
	return nextPage(resp.Header.Values("Link")), nil
}

// hint says what helps against GitHub's refusals.
func (g *github) hint(err error) error {
	var status *web.StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch {
	case status.Code == http.StatusUnauthorized:
		return fault.New(fault.BadInput, "%w", err).WithHint("GITHUB_TOKEN or GH_TOKEN is set and GitHub does not accept it")
	case g.token == "" && (status.Code == http.StatusForbidden || status.Code == http.StatusTooManyRequests):
		return fault.New(fault.BadInput, "%w", err).WithHint("GitHub answers few questions without a name: set GITHUB_TOKEN")
	}
	return err
}

// nextPage is the address that a Link header, RFC 8288, calls next.
func nextPage(links []string) string {
	for _, link := range links {
		for part := range strings.SplitSeq(link, ",") {
			address, parameters, _ := strings.Cut(part, ";")
			if strings.Contains(parameters, `rel="next"`) {
				return strings.Trim(strings.TrimSpace(address), "<>")
			}
		}
	}
	return ""
}

func (g *github) versions(ctx context.Context) ([]string, error) {
	var versions []string
	address := g.api + "/repos/" + g.repository + "/releases?per_page=100"
	for page := 0; page < githubPages && address != ""; page++ {
		var releases []*githubRelease
		next, err := g.ask(ctx, address, &releases)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, g.noRepository()
		}
		if err != nil {
			return nil, err
		}
		for _, r := range releases {
			version := strings.TrimPrefix(r.Tag, "v")
			if r.Draft || release.CheckVersion(version) != nil {
				continue
			}
			manifest, err := r.manifest(version, g.name)
			if err != nil {
				return nil, err
			}
			if manifest == "" {
				continue // of something else
			}
			g.keep(version, r)
			versions = append(versions, version)
		}
		address = next
	}
	return versions, nil
}

func (g *github) noRepository() error {
	err := fault.New(fault.BadInput, "GitHub knows no such repository")
	if g.token == "" {
		return err.WithHint("to see a private one, set GITHUB_TOKEN")
	}
	return err
}

// manifest is the name of the manifest among a release's assets; "": there is none.
func (r *githubRelease) manifest(version, name string) (string, error) {
	names := make([]string, len(r.Assets))
	for i, a := range r.Assets {
		names[i] = a.Name
	}
	manifests, err := pickManifests(names, name)
	return manifests[version], err
}

func (g *github) keep(version string, r *githubRelease) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.releases[version] = r
}

// release is that of a version.
func (g *github) release(ctx context.Context, version string) (*githubRelease, error) {
	g.mu.Lock()
	r := g.releases[version]
	g.mu.Unlock()
	if r != nil {
		return r, nil
	}
	for _, tag := range []string{"v" + version, version} {
		r = new(githubRelease)
		_, err := g.ask(ctx, g.api+"/repos/"+g.repository+"/releases/tags/"+url.PathEscape(tag), r)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		g.keep(version, r)
		return r, nil
	}
	return nil, fs.ErrNotExist
}

func (g *github) manifest(ctx context.Context, version string) (string, error) {
	r, err := g.release(ctx, version)
	if err != nil {
		return "", err
	}
	manifest, err := r.manifest(version, g.name)
	if err == nil && manifest == "" {
		err = fault.New(fault.BadInput, "the release %s on GitHub has no %s among its files", r.Tag, "hone-plugin-…"+release.ManifestSuffix)
	}
	return manifest, err
}

func (g *github) open(ctx context.Context, version, file string, from int64) (io.ReadCloser, error) {
	r, err := g.release(ctx, version)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(r.Assets, func(a githubAsset) bool { return a.Name == file })
	if i < 0 {
		return nil, fs.ErrNotExist
	}
	// The API's address works for private repositories; the other one is not counted
	// against those who have no token.
	address := r.Assets[i].Download
	if g.token != "" {
		address = r.Assets[i].API
	}
	resp, err := g.client.Get(ctx, address, g.header(address, "application/octet-stream"), from)
	if err != nil {
		return nil, g.hint(err)
	}
	return resp.Body, nil
}
