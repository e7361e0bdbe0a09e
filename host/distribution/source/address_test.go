package source_test

import (
	"strings"
	"testing"

	"github.com/honeml/hone/host/distribution/source"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text     string
		kind     source.Kind
		location string // for a text that is wrong: what the error says
	}{
		{"./plugins/apertus", source.Folder, "plugins/apertus"},
		{"../apertus/", source.Folder, "../apertus"},
		{"/srv/apertus", source.Folder, "/srv/apertus"},
		{".", source.Folder, "."},
		{"./x.tar.gz", source.Archive, "x.tar.gz"},
		{"/srv/x.zip", source.Archive, "/srv/x.zip"},
		{"https://example.org/plugins/apertus/", source.Tree, "https://example.org/plugins/apertus"},
		{"HTTPS://example.org", source.Tree, "https://example.org"},
		{"https://example.org:8443/a/../b", source.Tree, "https://example.org:8443/b"},
		{"http://127.0.0.1:8080/x", source.Tree, "http://127.0.0.1:8080/x"},
		{"file:///srv/apertus", source.Tree, "file:///srv/apertus"},
		{"github.com/owner/name", source.GitHub, "owner/name"},
		{"https://github.com/owner/name.git", source.GitHub, "owner/name"},
		{"oci://ghcr.io/owner/name", source.OCI, "ghcr.io/owner/name"},
		{"oci://localhost:5000/name", source.OCI, "localhost:5000/name"},

		{"", "", "neither a path"},
		{"plugins/apertus", "", "neither a path"},
		{"apertus.tar.gz", "", "neither a path"},
		{"http://example.org/x", "", "http:// is spoken with this machine alone"},
		{"http://localhost.example.org/x", "", "http:// is spoken with this machine alone"},
		{"https://me:secret@example.org/x", "", "name or password"},
		{"https://example.org/x?y", "", "no ? or #"},
		{"https://example.org/x#y", "", "no ? or #"},
		{"https:///x", "", "no host"},
		{"https://exa mple.org/x", "", "no URL"},
		{"file://host/x", "", "file:///path"},
		{"file://x", "", "file:///path"},
		{"ftp://example.org/x", "", "no sources with ftp://"},
		{"github.com/owner", "", "github.com/OWNER/NAME"},
		{"github.com/owner/name/releases", "", "github.com/OWNER/NAME"},
		{"github.com/../name", "", "github.com/OWNER/NAME"},
		{"github.com/owner/..", "", "github.com/OWNER/NAME"},
		{"oci://ghcr.io", "", "oci://registry/repository"},
		{"oci://ghcr.io/Owner/name", "", "lower-case"},
		{"oci://ghcr.io/owner/name:1.2.0", "", "without a tag"},
		{"oci://ghcr.io/owner/name@sha256:00", "", "without a tag"},
		{"oci://me@ghcr.io/owner/name", "", "oci://registry/repository"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			a, err := source.Parse(tt.text)
			if tt.kind == "" {
				checkError(t, err, tt.location, "a source is ./a-folder")
				return
			}
			if err != nil || a.Kind != tt.kind || a.Location != tt.location {
				t.Fatalf("got %+v, %v", a, err)
			}
			if again, err := source.Parse(a.String()); err != nil || again != a {
				t.Errorf("%s is read as %+v, %v", a, again, err)
			}
			moved := a.In("/elsewhere")
			relative := strings.HasPrefix(tt.text, ".")
			if (moved != a) != relative || relative && !strings.HasPrefix(moved.Location, "/") {
				t.Errorf("seen from /elsewhere it is %s", moved)
			}
		})
	}
}
