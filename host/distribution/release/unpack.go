package release

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/honeml/hone/sdk/fault"
)

// The bounds of what is unpacked beside the binary, and of what is passed over.
const (
	maxTextBytes = 1 << 20
	maxTexts     = 16
	maxEntries   = 4096
	maxOther     = 64 << 20
)

// textPattern are the files that are unpacked beside the binary.
var textPattern = regexp.MustCompile(`(?i)^(licen[sc]e|copying|notice|readme)[a-z0-9._-]{0,40}$`)

// IsText reports whether a file is a licence, a notice or a readme by its name: what
// may stand beside the binary.
func IsText(name string) bool { return textPattern.MatchString(name) }

// Unpack takes from r's archive for a platform the binary, whose size and hash have
// to be the manifest's, and licences and readmes into the folder dir. Other files
// are left out; an archive that holds links, devices or names that lead elsewhere
// is refused.
func Unpack(ctx context.Context, archive string, r *Release, p Platform, dir string) error {
	build, err := r.Build(p)
	if err != nil {
		return err
	}
	return unpack(ctx, archive, formatOf(build.Archive), &unpacking{binary: BinaryName(r.Name, p), build: build, dir: dir})
}

// Inspect is the build that an archive is, by what is in it.
func Inspect(ctx context.Context, archive, name string, p Platform) (Build, error) {
	b := Build{Archive: filepath.Base(archive)}
	f, err := os.Open(archive)
	if err != nil {
		return b, err
	}
	defer f.Close()
	sum := sha256.New()
	if b.ArchiveSize, err = io.Copy(sum, &contextReader{ctx, f}); err != nil {
		return b, err
	}
	b.ArchiveSHA256 = SHA256(sum.Sum(nil))
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return b, err
	}
	found := false
	err = entries(f, formatOf(archive), func(e entry) error {
		if strings.TrimPrefix(e.name, "./") != BinaryName(name, p) {
			return nil
		}
		found = true
		sum.Reset()
		b.BinarySize, err = io.Copy(sum, &contextReader{ctx, io.LimitReader(e.body, MaxBinaryBytes+1)})
		b.BinarySHA256 = SHA256(sum.Sum(nil))
		return err
	})
	if err == nil && !found {
		err = noBinary(BinaryName(name, p))
	}
	return b, err
}

func noBinary(name string) error {
	return fault.New(fault.BadInput, "it does not hold the binary %s", name)
}

func unpack(ctx context.Context, archive string, format Format, u *unpacking) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	err = entries(f, format, func(e entry) error {
		e.body = &contextReader{ctx, e.body}
		return u.take(e)
	})
	if err == nil && !u.found {
		err = noBinary(u.binary)
	}
	return err
}

// unpacking is one archive being unpacked.
type unpacking struct {
	binary string
	build  Build
	dir    string

	found          bool
	entries, texts int
	other          int64
}

func (u *unpacking) take(e entry) error {
	if u.entries++; u.entries > maxEntries {
		return fault.New(fault.BadInput, "it holds more than %d files", maxEntries)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(e.name, "./"), "/")
	switch {
	case e.mode.IsDir() && (name == "" || name == "."):
		return nil
	case !fs.ValidPath(name) || strings.ContainsAny(name, `\:`):
		return fault.New(fault.BadInput, "it holds a file whose name, %.120q, leads elsewhere", e.name)
	case e.mode.IsDir():
		return nil
	case !e.mode.IsRegular():
		return fault.New(fault.BadInput, "it holds %.120q, which is no plain file", e.name)
	case name == u.binary:
		return u.takeBinary(e.body)
	case IsText(name):
		return u.takeText(name, e.body)
	}
	n, err := io.CopyN(io.Discard, e.body, maxOther-u.other+1)
	if u.other += n; u.other > maxOther {
		return fault.New(fault.BadInput, "beside the binary it holds more than %d bytes", maxOther)
	}
	return ignoreEOF(err)
}

func (u *unpacking) takeBinary(body io.Reader) error {
	if u.found {
		return fault.New(fault.BadInput, "it holds the binary %s twice", u.binary)
	}
	u.found = true
	sum := sha256.New()
	n, err := u.write(u.binary, 0o755, io.TeeReader(io.LimitReader(body, u.build.BinarySize+1), sum))
	if err != nil {
		return err
	}
	if n != u.build.BinarySize {
		return fault.New(fault.BadInput, "the binary %s in it is not of %d bytes, as the manifest says", u.binary, u.build.BinarySize)
	}
	if got := SHA256(sum.Sum(nil)); got != u.build.BinarySHA256 {
		return fault.New(fault.BadInput, "the binary %s in it has SHA-256 %s; the manifest says %s", u.binary, got, u.build.BinarySHA256)
	}
	return nil
}

func (u *unpacking) takeText(name string, body io.Reader) error {
	if u.texts++; u.texts > maxTexts {
		return fault.New(fault.BadInput, "it holds more than %d licences and readmes", maxTexts)
	}
	n, err := u.write(name, 0o644, io.LimitReader(body, maxTextBytes+1))
	if err == nil && n > maxTextBytes {
		err = fault.New(fault.BadInput, "%s in it has more than %d bytes", name, maxTextBytes)
	}
	return err
}

// write makes a file that is not there yet.
func (u *unpacking) write(name string, mode os.FileMode, body io.Reader) (int64, error) {
	f, err := os.OpenFile(filepath.Join(u.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if os.IsExist(err) {
		return 0, fault.New(fault.BadInput, "it holds %s twice", name)
	}
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(f, body)
	if err != nil {
		_ = f.Close()
		return n, fmt.Errorf("%s: %w", name, err)
	}
	return n, f.Close()
}

func ignoreEOF(err error) error {
	if err == io.EOF { //nolint:errorlint // io.CopyN returns it unwrapped
		return nil
	}
	return err
}

// A contextReader reads until a context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c *contextReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
