package source_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/honeml/hone/host/distribution/pack"
)

// pushed is a registry with the releases of a folder in apertus/hone.
func pushed(t *testing.T, dir string, versions ...string) (*server, string) {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := serve(t, registry.New(registry.Logger(log.New(io.Discard, "", 0))), "", nil)
	location := strings.TrimPrefix(s.URL, "http://") + "/apertus/hone"
	for _, version := range versions {
		r, err := open(t, dir).Release(t.Context(), version)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time nothing happens
			if err := pack.Push(t.Context(), location, dir, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s, location
}

func TestOCI(t *testing.T) {
	key := signingKey(t)
	dir := t.TempDir()
	published(t, dir, key, "1.2.0", "1.10.0")
	_, location := pushed(t, dir, "1.2.0", "1.10.0")
	checkGood(t, open(t, "oci://"+location), key.Public())
}

// TestOCIKeeps pushes another release under a version that is there.
func TestOCIKeeps(t *testing.T) {
	dir := t.TempDir()
	published(t, dir, nil, "1.2.0")
	_, location := pushed(t, dir, "1.2.0")
	published(t, dir, signingKey(t), "1.2.0")
	r, err := open(t, dir).Release(t.Context(), "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	checkError(t, pack.Push(t.Context(), location, dir, r), "apertus/hone holds another release as 1.2.0", "make a new version")
}

func TestOCIInterrupted(t *testing.T) {
	dir := t.TempDir()
	published(t, dir, nil, "1.2.0")
	s, location := pushed(t, dir, "1.2.0")
	archive, err := os.ReadFile(filepath.Join(dir, archiveOfLinux))
	if err != nil {
		t.Fatal(err)
	}
	broken := false
	front := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := http.Get(s.URL + r.URL.String()) //nolint:noctx // a test's own server
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		for name, values := range resp.Header {
			w.Header()[name] = values
		}
		if resp.ContentLength == int64(len(archive)) && !broken {
			broken = true
			breakOff(w, archive, len(archive)/2)
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}), "", nil)
	oci := open(t, strings.Replace("oci://"+location, strings.TrimPrefix(s.URL, "http://"), strings.TrimPrefix(front.URL, "http://"), 1))
	r, err := oci.Release(t.Context(), "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if err := oci.Fetch(t.Context(), r, linux, filepath.Join(t.TempDir(), "installed")); err != nil {
		t.Error(err)
	}
	if !broken {
		t.Error("nothing broke off")
	}
}

func TestOCIRefuses(t *testing.T) {
	dir := t.TempDir()
	published(t, dir, nil, "1.2.0")
	s, location := pushed(t, dir, "1.2.0")
	unknown := strings.Replace(location, "apertus", "nobody", 1)
	_, err := open(t, "oci://"+unknown).Versions(t.Context())
	checkError(t, err, "the registry knows no such repository", "")

	// A registry that wants a name and a password, as docker login keeps them.
	front := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, password, _ := r.BasicAuth(); name != "me" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"errors":[{"code":"UNAUTHORIZED","message":"who are you?"}]}`)
			return
		}
		s.Config.Handler.ServeHTTP(w, r)
	}), "", nil)
	host := strings.TrimPrefix(front.URL, "http://")
	address := "oci://" + host + "/apertus/hone"
	_, err = open(t, address).Versions(t.Context())
	checkError(t, err, host+" wants a name and a password", "docker login "+host)

	login := func(credentials string) {
		config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte(credentials)))
		if err := os.WriteFile(filepath.Join(os.Getenv("DOCKER_CONFIG"), "config.json"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	login("me:old")
	_, err = open(t, address).Versions(t.Context())
	checkError(t, err, host+" answers 401 Unauthorized: unauthorized: who are you?", "docker login "+host)
	login("me:secret")
	if versions, err := open(t, address).Versions(t.Context()); err != nil || len(versions) != 1 {
		t.Errorf("with credentials: %q, %v", versions, err)
	}
}
