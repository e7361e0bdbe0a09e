// Package hub finds models of the Hugging Face Hub on this machine: in the
// cache that huggingface_hub and transformers keep, laid out as they lay it out.
//
// It downloads nothing yet; a model that is not in the cache is an error that
// says how to bring it there.
package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// Scheme begins the names of models on the Hub: hf://OWNER/NAME.
const Scheme = "hf://"

// Environment is where the cache stands, read from the variables that
// huggingface_hub reads. getenv is os.Getenv, but in tests.
func Environment(getenv func(string) string) string {
	for _, name := range []string{"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"} {
		if dir := getenv(name); dir != "" {
			return dir
		}
	}
	home := getenv("HF_HOME")
	if home == "" {
		cache := getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(getenv("HOME"), ".cache")
		}
		home = filepath.Join(cache, "huggingface")
	}
	return filepath.Join(home, "hub")
}

var (
	idPattern       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// CachedModel is the folder of a model's snapshot in cache. id is OWNER/NAME
// without the scheme; revision is a branch, a tag or a commit, "" for main.
func CachedModel(cache, id, revision string) (string, error) {
	if !idPattern.MatchString(id) || strings.Contains(id, "..") || strings.Contains(id, "--") {
		return "", fault.New(fault.BadInput, "%q is no model name of the Hub, which looks like OWNER/NAME", id)
	}
	if revision == "" {
		revision = "main"
	}
	if !revisionPattern.MatchString(revision) || strings.Contains(revision, "..") {
		return "", fault.New(fault.BadInput, "%q is no revision: a branch, a tag or a commit", revision)
	}
	repo := filepath.Join(cache, "models--"+strings.ReplaceAll(id, "/", "--"))
	commit, err := resolve(repo, revision)
	if err != nil {
		return "", fmt.Errorf("model %s, revision %s: %w", id, revision, err)
	}
	if commit != "" {
		dir := filepath.Join(repo, "snapshots", commit)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, nil
		}
	}
	return "", fault.New(fault.BadWeights, "model %s, revision %s, is not in the cache %s", id, revision, cache).
		WithHint("fetch it with: hf download %s — or name a folder or a .gguf file as model.source", id)
}

// resolve is the commit of a revision, or "" where the cache does not know it.
func resolve(repo, revision string) (string, error) {
	data, err := os.ReadFile(filepath.Join(repo, "refs", filepath.FromSlash(revision)))
	if err == nil {
		commit := strings.TrimSpace(string(data))
		if !commitPattern.MatchString(commit) {
			return "", fmt.Errorf("the cache's reference is %q, no commit", commit)
		}
		return commit, nil
	}
	if commitPattern.MatchString(revision) {
		return revision, nil
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return "", err
}
