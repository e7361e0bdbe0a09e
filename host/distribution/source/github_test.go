package source_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/source"
)

// fakeGitHub answers as GitHub's REST API does, for the repository apertus/hone whose
// releases have the files of a folder. Downloads come from another host.
type fakeGitHub struct {
	*server
	files  *httptest.Server
	leaked bool   // the token was seen by the other host
	token  string // that is needed; "": none
}

// github publishes the releases of a static tree under their tags, newest first, two a
// page.
func github(t *testing.T, root, token string, tags ...string) *fakeGitHub {
	t.Helper()
	g := &fakeGitHub{token: token}
	plain := http.FileServer(http.Dir(root))
	g.files = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.leaked = g.leaked || r.Header.Get("Authorization") != ""
		plain.ServeHTTP(w, r)
	}))
	t.Cleanup(g.files.Close)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/apertus/hone/releases", func(w http.ResponseWriter, r *http.Request) {
		page := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &page)
		begin, end := min(2*page, len(tags)), min(2*page+2, len(tags))
		list := []any{}
		for _, tag := range tags[begin:end] {
			list = append(list, g.release(t, root, tag))
		}
		if end < len(tags) {
			w.Header().Set("Link", fmt.Sprintf(`<%s/repos/apertus/hone/releases?page=7>; rel="last", <%s/repos/apertus/hone/releases?page=%d>; rel="next"`, g.URL, g.URL, page+1))
		}
		_ = json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("GET /repos/apertus/hone/releases/tags/{tag}", func(w http.ResponseWriter, r *http.Request) {
		for _, tag := range tags {
			if tag == r.PathValue("tag") {
				_ = json.NewEncoder(w).Encode(g.release(t, root, tag))
				return
			}
		}
		http.NotFound(w, r)
	})
	mux.HandleFunc("GET /assets/{version}/{file}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") != "application/octet-stream" {
			http.Error(w, "this answers JSON", http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, g.download(r.PathValue("version"), r.PathValue("file")), http.StatusFound)
	})
	g.server = serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g.token != "" && r.Header.Get("Authorization") != "Bearer "+g.token {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}), "", nil)
	return g
}

// download is where a file can be had from the other host.
func (g *fakeGitHub) download(version, file string) string {
	return strings.Replace(g.files.URL, "127.0.0.1", "localhost", 1) + "/" + version + "/" + file
}

func (g *fakeGitHub) release(t *testing.T, root, tag string) any {
	version := strings.TrimPrefix(tag, "v")
	assets := []any{}
	entries, err := os.ReadDir(filepath.Join(root, version))
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	for _, e := range entries {
		assets = append(assets, map[string]any{
			"name": e.Name(), "url": g.URL + "/assets/" + version + "/" + e.Name(), "browser_download_url": g.download(version, e.Name()),
		})
	}
	return map[string]any{"tag_name": tag, "draft": false, "assets": assets}
}

func TestGitHub(t *testing.T) {
	key := signingKey(t)
	root := publishedTree(t, key, "1.2.0", "1.10.0")
	tags := []string{"v1.10.0", "nightly", "v1.3.0", "1.2.0"} // 1.3.0 has no files
	for _, token := range []string{"", "secret"} {
		t.Run("token "+token, func(t *testing.T) {
			g := github(t, root, token, tags...)
			environment := []string{"GITHUB_API_URL=" + g.URL, "GH_TOKEN=" + token}
			checkGood(t, open(t, "github.com/apertus/hone", environment...), key.Public())
			// Without having listed first, as for a version that is locked.
			r, err := open(t, "github.com/apertus/hone", environment...).Release(t.Context(), "1.2.0")
			if err != nil || r.Version != "1.2.0" {
				t.Errorf("got %v, %v", r, err)
			}
			if g.leaked {
				t.Error("the token was sent to another host")
			}
			if fetched := len(g.requests(archiveOfLinux)); (fetched > 0) != (token != "") {
				t.Errorf("%d downloads by the API", fetched)
			}
		})
	}
}

func TestGitHubRefuses(t *testing.T) {
	root := publishedTree(t, nil, "1.2.0")
	limited := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "rate limit exceeded", http.StatusForbidden)
	}), "", nil)
	denying := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "bad credentials", http.StatusUnauthorized)
	}), "", nil)
	tests := []struct {
		name, api, token, says, hint string
	}{
		{"private", github(t, root, "secret").URL, "", "GitHub knows no such repository", "set GITHUB_TOKEN"},
		{"unknown", github(t, root, "secret").URL, "other", "GitHub knows no such repository", ""},
		{"nothing published", github(t, root, "", "v1.3.0").URL, "", "has no release of a plugin", ""},
		{"too many questions", limited.URL, "", "answers 403 Forbidden: rate limit exceeded", "set GITHUB_TOKEN"},
		{"a wrong token", denying.URL, "old", "answers 401 Unauthorized: bad credentials", "does not accept"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, "github.com/apertus/hone", "GITHUB_API_URL="+tt.api, "GITHUB_TOKEN="+tt.token)
			_, err := s.Versions(t.Context())
			checkError(t, err, tt.says, tt.hint)
		})
	}
	g := github(t, root, "", "v1.3.0")
	_, err := open(t, "github.com/apertus/hone", "GITHUB_API_URL="+g.URL).Release(t.Context(), "1.3.0")
	checkError(t, err, "the release v1.3.0 on GitHub has no hone-plugin-…_manifest.json", "")

	a, err := source.Parse("github.com/apertus/hone")
	if err != nil {
		t.Fatal(err)
	}
	_, err = source.Open(a, source.Options{Getenv: func(string) string { return "somewhere" }})
	checkError(t, err, `GITHUB_API_URL is "somewhere"`, "")
}
