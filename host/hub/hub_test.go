package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/honeml/hone/sdk/fault"
)

func TestEnvironment(t *testing.T) {
	tests := []struct {
		name string
		env  map[string]string
		want string
	}{
		{"explicit cache", map[string]string{"HF_HUB_CACHE": "/c", "HF_HOME": "/h"}, "/c"},
		{"old name", map[string]string{"HUGGINGFACE_HUB_CACHE": "/o", "HF_HOME": "/h"}, "/o"},
		{"hf home", map[string]string{"HF_HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/h/hub"},
		{"xdg", map[string]string{"XDG_CACHE_HOME": "/x", "HOME": "/u"}, "/x/huggingface/hub"},
		{"home", map[string]string{"HOME": "/u"}, "/u/.cache/huggingface/hub"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Environment(func(name string) string { return test.env[name] })
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestCachedModel(t *testing.T) {
	cache := t.TempDir()
	commit := strings.Repeat("ab", 20)
	repo := filepath.Join(cache, "models--acme--tiny")
	snapshot := filepath.Join(repo, "snapshots", commit)
	for _, dir := range []string{snapshot, filepath.Join(repo, "refs", "refs", "pr")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"main": commit, "refs/pr/1": commit, "broken": "what"} {
		if err := os.WriteFile(filepath.Join(repo, "refs", filepath.FromSlash(name)), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name, id, revision string
		fails              string // part of the message; "": found
		code               fault.Code
	}{
		{"main", "acme/tiny", "", "", ""},
		{"a pull request", "acme/tiny", "refs/pr/1", "", ""},
		{"a commit", "acme/tiny", commit, "", ""},
		{"another commit", "acme/tiny", strings.Repeat("cd", 20), "not in the cache", fault.BadWeights},
		{"another model", "acme/huge", "", "not in the cache", fault.BadWeights},
		{"a broken reference", "acme/tiny", "broken", "no commit", ""},
		{"a path for a name", "../../etc", "", "no model name", fault.BadInput},
		{"a path for a revision", "acme/tiny", "../../x", "no revision", fault.BadInput},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir, err := CachedModel(cache, test.id, test.revision)
			if test.fails == "" {
				if err != nil || dir != snapshot {
					t.Errorf("got %s, %v; want %s", dir, err, snapshot)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %v, want %q", err, test.fails)
			}
			if test.code != "" && !errors.Is(err, test.code) {
				t.Errorf("got %v, want code %s", err, test.code)
			}
		})
	}
}
