package source_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/host/distribution/source"
)

// A server serves a handler, and lets trouble take over some requests.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // "path" or "path from N-"
	trouble func(n int, w http.ResponseWriter, r *http.Request) bool
}

// serve serves h; where trouble answers true it has dealt with a request for a
// file whose name ends in suffix, the nth from 1 on.
func serve(t *testing.T, h http.Handler, suffix string, trouble func(n int, w http.ResponseWriter, r *http.Request) bool) *server {
	t.Helper()
	s := &server{trouble: trouble}
	n := 0
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		asked := r.URL.Path
		if part := r.Header.Get("Range"); part != "" {
			asked += " " + part
		}
		s.asked = append(s.asked, asked)
		mine := trouble != nil && strings.HasSuffix(r.URL.Path, suffix)
		if mine {
			n++
		}
		nth := n
		s.mu.Unlock()
		if !mine || !trouble(nth, w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// requests are those for files whose name ends so.
func (s *server) requests(suffix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []string
	for _, asked := range s.asked {
		if path, _, _ := strings.Cut(asked, " "); strings.HasSuffix(path, suffix) {
			found = append(found, strings.TrimPrefix(asked, path))
		}
	}
	return found
}

// breakOff answers the beginning of a file and breaks the connection.
func breakOff(w http.ResponseWriter, content []byte, length int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content[:length])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func TestWebTree(t *testing.T) {
	key := signingKey(t)
	s := serve(t, http.FileServer(http.Dir(publishedTree(t, key, "1.2.0", "1.10.0"))), "", nil)
	checkGood(t, open(t, s.URL), key.Public())
}

const archiveOfLinux = "hone-plugin-model-apertus_1.2.0_linux_amd64.tar.gz"

// TestInterrupted installs although something goes wrong on the way.
func TestInterrupted(t *testing.T) {
	root := publishedTree(t, nil, "1.2.0")
	archive, err := os.ReadFile(filepath.Join(root, "1.2.0", archiveOfLinux))
	if err != nil {
		t.Fatal(err)
	}
	half := len(archive) / 2
	rest := fmt.Sprintf(" bytes=%d-", half)
	tests := []struct {
		name    string
		suffix  string
		trouble func(n int, w http.ResponseWriter, r *http.Request) bool
		asked   []string // of the file
	}{
		{"busy at first", archiveOfLinux, func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n < 3
		}, []string{"", "", ""}},
		{"broken off once", archiveOfLinux, func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				breakOff(w, archive, half)
			}
			return false
		}, []string{"", rest}},
		{"a server without parts", archiveOfLinux, func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				breakOff(w, archive, half)
			}
			_, _ = w.Write(archive)
			return true
		}, []string{"", rest}},
		{"the first half of another file", archiveOfLinux, func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				breakOff(w, []byte(strings.Repeat("x", len(archive))), half)
			}
			return false
		}, []string{"", rest, ""}},
		{"a manifest that broke off", "manifest.json", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				breakOff(w, []byte(strings.Repeat(" ", 100)), 50)
			}
			return false
		}, []string{"", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, http.FileServer(http.Dir(root)), tt.suffix, tt.trouble)
			tree := open(t, s.URL)
			r, err := tree.Release(t.Context(), "1.2.0")
			if err != nil {
				t.Fatal(err)
			}
			if err := tree.Fetch(t.Context(), r, linux, filepath.Join(t.TempDir(), "installed")); err != nil {
				t.Fatal(err)
			}
			if got := s.requests(tt.suffix); strings.Join(got, ",") != strings.Join(tt.asked, ",") {
				t.Errorf("asked for %q, want %q", got, tt.asked)
			}
		})
	}
}

// TestRefused meets releases that are not as they should be. Nothing is left.
func TestRefused(t *testing.T) {
	change := func(from, to string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(data), from, to, 1)
			if changed == string(data) {
				t.Fatalf("%s does not hold %q", path, from)
			}
			if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	const manifest = "hone-plugin-model-apertus_1.2.0_manifest.json"
	tests := []struct {
		name   string
		signed bool
		file   string
		spoil  func(*testing.T, string)
		says   string
	}{
		{"another archive", true, archiveOfLinux, func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}, archiveOfLinux + " has SHA-256 "},
		{"a longer archive", false, archiveOfLinux, func(t *testing.T, path string) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, append(data, 0), 0o644); err != nil {
				t.Fatal(err)
			}
		}, archiveOfLinux + " is not of "},
		{"an archive less", false, archiveOfLinux, remove, "names " + archiveOfLinux + ", which is not there"},
		{"another binary", false, manifest, change(`"binary_sha256": "`, `"binary_sha256": "00000000`), "no SHA-256"},
		{"a binary of another length", false, manifest, change(`"binary_size": 1`, `"binary_size": 2`), "bytes, as the manifest says"},
		{"a changed manifest", true, manifest, change(`"protocol": 1`, `"protocol": 2`), "changed after it was signed"},
		{"another key", true, manifest, change(`"public_key": "R`, `"public_key": "RWQAAAAAAAAAA`), "no public key of minisign"},
		{"no signature", true, manifest + ".minisig", remove, "its signature " + manifest + ".minisig is missing"},
		{"half a signature", true, manifest + ".minisig", change("trusted comment: ", ""), "no signature of minisign"},
		{"a manifest of another version", false, manifest, change(`"version": "1.2.0"`, `"version": "1.2.1"`), "not the name of its archive"},
		{"no manifest", false, manifest, remove, "has no version 1.2.0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var key *release.SigningKey
			if tt.signed {
				key = signingKey(t)
			}
			root := publishedTree(t, key, "1.2.0")
			tt.spoil(t, filepath.Join(root, "1.2.0", tt.file))
			s := serve(t, http.FileServer(http.Dir(root)), "", nil)
			for _, address := range []string{s.URL, root} {
				checkRefused(t, open(t, address), tt.says)
			}
		})
	}
}

// checkRefused asks for version 1.2.0 of a source that must not give it, says why in
// one line and leaves nothing behind.
func checkRefused(t *testing.T, s source.Source, says string) {
	t.Helper()
	dir := t.TempDir()
	r, err := s.Release(t.Context(), "1.2.0")
	if err == nil {
		err = s.Fetch(t.Context(), r, linux, filepath.Join(dir, "installed"))
	}
	if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one line with %q", err, says)
	}
	if left := listing(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestNetworkFails never gets there.
func TestNetworkFails(t *testing.T) {
	root := publishedTree(t, nil, "1.2.0")
	tests := []struct {
		name    string
		suffix  string
		trouble func(n int, w http.ResponseWriter, r *http.Request) bool
		says    string
	}{
		{"busy for good", "json", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}, "answers 503 Service Unavailable"},
		{"forbidden", "json", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			http.Error(w, "not\nyou", http.StatusForbidden)
			return true
		}, "answers 403 Forbidden: not you"},
		{"broken off for good", "gz", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			breakOff(w, []byte("0123456789"), 5)
			return true
		}, "broke off after"},
		{"round in a circle", "json", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
			return true
		}, "leads from one address to the next without end"},
		{"towards http elsewhere", "json", func(_ int, w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "http://elsewhere.invalid/"+r.URL.Path, http.StatusFound)
			return true
		}, "http://elsewhere.invalid is not spoken with; use https"},
		{"another part", "gz", func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 1 {
				breakOff(w, []byte("0123456789"), 5)
			}
			w.Header().Set("Content-Range", "bytes 0-9/10")
			w.WriteHeader(http.StatusPartialContent)
			return true
		}, "answers the wrong part of a file"},
		{"without end", "json", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return true
				}
			}
		}, "has more than 262144 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, http.FileServer(http.Dir(root)), tt.suffix, tt.trouble)
			a, err := source.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			tree, err := source.Open(a, source.Hasty(source.Options{Name: "model-apertus"}))
			if err != nil {
				t.Fatal(err)
			}
			checkRefused(t, tree, tt.says)
		})
	}
}

// TestStopped ends a download that is under way.
func TestStopped(t *testing.T) {
	root := publishedTree(t, nil, "1.2.0")
	ctx, stop := context.WithCancel(t.Context())
	s := serve(t, http.FileServer(http.Dir(root)), "gz", func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("the beginning"))
		w.(http.Flusher).Flush()
		stop()
		<-r.Context().Done()
		return true
	})
	tree := open(t, s.URL)
	r, err := tree.Release(ctx, "1.2.0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := tree.Fetch(ctx, r, linux, filepath.Join(dir, "installed")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left := listing(t, dir); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestOffline(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	host := strings.TrimPrefix(gone.URL, "http://")
	for _, address := range []string{gone.URL, "github.com/apertus/hone", "oci://" + host + "/apertus/hone"} {
		t.Run(address[:6], func(t *testing.T) {
			s := open(t, address, "GITHUB_API_URL="+gone.URL)
			var unreachable *source.UnreachableError
			for _, ask := range []func() error{
				func() error { _, err := s.Versions(t.Context()); return err },
				func() error { _, err := s.Release(t.Context(), "1.2.0"); return err },
			} {
				err := ask()
				if !errors.As(err, &unreachable) || unreachable.Host != host || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}
