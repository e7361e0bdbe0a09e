package source

import (
	"context"
	"crypto/sha256"
	"io"
	"os"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// download writes a build's archive into a new file, and checks it.
func (f *fetcher) download(ctx context.Context, r *release.Release, b release.Build, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	body, err := f.store.open(ctx, r.Version, b.Archive, 0)
	if err != nil {
		return err
	}
	defer body.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(body, b.ArchiveSize+1))
	if err != nil {
		return err
	}
	if n != b.ArchiveSize {
		return fault.New(fault.BadInput, "%s is not of %d bytes, as the manifest says", b.Archive, b.ArchiveSize)
	}
	if got := release.SHA256(sum.Sum(nil)); got != b.ArchiveSHA256 {
		return fault.New(fault.BadInput, "%s has SHA-256 %s; the manifest says %s", b.Archive, got, b.ArchiveSHA256)
	}
	return out.Close()
}
