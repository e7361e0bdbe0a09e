package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/honeml/hone/host/distribution/release"
	"github.com/honeml/hone/sdk/fault"
)

// maxBreaks is how often one download may break off.
const maxBreaks = 5

// A download is an archive being brought.
type download struct {
	build    release.Build
	out      *os.File
	sum      hash.Hash
	have     int64
	progress func(Progress)
}

// download writes a build's archive into a new file, and checks it.
func (f *fetcher) download(ctx context.Context, r *release.Release, b release.Build, path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	d := &download{build: b, out: out, sum: sha256.New(), progress: f.options.Progress}
	parts := 0
	bring := func() error {
		return f.patiently(ctx, func() (bool, error) {
			body, err := f.store.open(ctx, r.Version, b.Archive, d.have)
			if errors.Is(err, os.ErrNotExist) {
				return false, fault.New(fault.BadInput, "the manifest of %s names %s, which is not there", r, b.Archive)
			}
			if err != nil {
				return false, err
			}
			defer body.Close()
			parts++
			return d.take(body)
		})
	}
	err = bring()
	if err == nil {
		err = d.check()
	}
	if err != nil && parts > 1 && ctx.Err() == nil && d.have >= b.ArchiveSize {
		// It was put together of parts, perhaps of different files.
		if err := d.restart(); err != nil {
			return err
		}
		if err := bring(); err != nil {
			return err
		}
		err = d.check()
	}
	if err != nil {
		return err
	}
	return out.Close()
}

// take appends a body to what there is. again says that it broke off.
func (d *download) take(body io.Reader) (again bool, err error) {
	from := &failing{r: io.LimitReader(body, d.build.ArchiveSize-d.have+1)}
	_, err = io.Copy(d, from)
	if err != nil && from.err != nil {
		return true, fmt.Errorf("%s broke off after %d of %d bytes: %w", d.build.Archive, d.have, d.build.ArchiveSize, from.err)
	}
	return false, err
}

// Write implements io.Writer: onto the disk, into the hash, and to who watches.
func (d *download) Write(p []byte) (int, error) {
	n, err := d.out.Write(p)
	d.sum.Write(p[:n])
	d.have += int64(n)
	if d.progress != nil {
		d.progress(Progress{File: d.build.Archive, Done: d.have, Total: d.build.ArchiveSize})
	}
	return n, err
}

// check compares what has come with the manifest.
func (d *download) check() error {
	if d.have != d.build.ArchiveSize {
		return fault.New(fault.BadInput, "%s is not of %d bytes, as the manifest says", d.build.Archive, d.build.ArchiveSize)
	}
	if got := release.SHA256(d.sum.Sum(nil)); got != d.build.ArchiveSHA256 {
		return fault.New(fault.BadInput, "%s has SHA-256 %s; the manifest says %s", d.build.Archive, got, d.build.ArchiveSHA256)
	}
	return nil
}

// restart forgets what has come.
func (d *download) restart() error {
	d.sum.Reset()
	d.have = 0
	_, err := d.out.Seek(0, io.SeekStart)
	return errors.Join(err, d.out.Truncate(0))
}

// patiently does something again for as long as it breaks off midway, on networks.
func (f *fetcher) patiently(ctx context.Context, do func() (again bool, err error)) error {
	for n := 1; ; n++ {
		again, err := do()
		if err == nil || !again || f.client == nil || n > maxBreaks || ctx.Err() != nil {
			return err
		}
		if err := f.client.Pause(ctx, n); err != nil {
			return err
		}
	}
}

// A failing reader keeps the error that reading ended with: it is the network's,
// not the disk's.
type failing struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (f *failing) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}
