package release

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// A Format is a kind of archive, by the end of its files' names.
type Format string

// The formats of archives.
const (
	TarGz Format = ".tar.gz"
	Zip   Format = ".zip"
)

// formatOf is the format that a file's name says; "" for none.
func formatOf(file string) Format {
	for _, f := range []Format{TarGz, Zip} {
		if strings.HasSuffix(file, string(f)) {
			return f
		}
	}
	return ""
}

// IsArchive reports whether a file's name is that of an archive.
func IsArchive(file string) bool { return formatOf(file) != "" }

// A Member is a file to be put into an archive.
type Member struct {
	Name       string // in the archive
	Path       string // on the disk
	Executable bool
}

// epoch is the time of every member of an archive: the same files give the same
// bytes.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC) // zip knows none before

// Pack writes an archive, in the format that file, its name, says.
func Pack(w io.Writer, file string, members []Member) error {
	if formatOf(file) == Zip {
		return packZip(w, members)
	}
	return packTarGz(w, members)
}

func packTarGz(w io.Writer, members []Member) error {
	compressed := gzip.NewWriter(w)
	t := tar.NewWriter(compressed)
	for _, m := range members {
		err := m.read(func(f *os.File, size int64) error {
			h := &tar.Header{Name: m.Name, Size: size, Mode: int64(m.mode()), ModTime: epoch, Format: tar.FormatUSTAR}
			if err := t.WriteHeader(h); err != nil {
				return err
			}
			_, err := io.Copy(t, f)
			return err
		})
		if err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), compressed.Close())
}

func packZip(w io.Writer, members []Member) error {
	z := zip.NewWriter(w)
	for _, m := range members {
		err := m.read(func(f *os.File, _ int64) error {
			h := &zip.FileHeader{Name: m.Name, Method: zip.Deflate, Modified: epoch}
			h.SetMode(m.mode())
			entry, err := z.CreateHeader(h)
			if err != nil {
				return err
			}
			_, err = io.Copy(entry, f)
			return err
		})
		if err != nil {
			return err
		}
	}
	return z.Close()
}

func (m Member) mode() fs.FileMode {
	if m.Executable {
		return 0o755
	}
	return 0o644
}

func (m Member) read(use func(f *os.File, size int64) error) error {
	f, err := os.Open(m.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", m.Path)
	}
	return use(f, info.Size())
}

// An entry is a file in an archive that is read.
type entry struct {
	name string
	mode fs.FileMode
	body io.Reader
}

// maxDirectoryBytes bounds what is read of a zip archive before its first file.
const maxDirectoryBytes = 4 << 20

// entries gives what an archive holds, in order, until use fails.
func entries(archive *os.File, format Format, use func(entry) error) error {
	if format == Zip {
		return zipEntries(archive, use)
	}
	compressed, err := gzip.NewReader(archive)
	if err != nil {
		return fmt.Errorf("not compressed by gzip: %w", err)
	}
	t := tar.NewReader(compressed)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no tar archive: %w", err)
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
			mode |= fs.ModeIrregular // hard links have none of their own
		}
		if err := use(entry{h.Name, mode, t}); err != nil {
			return err
		}
	}
}

func zipEntries(archive *os.File, use func(entry) error) error {
	info, err := archive.Stat()
	if err != nil {
		return err
	}
	bounded := &boundedReaderAt{r: archive, left: maxDirectoryBytes}
	z, err := zip.NewReader(bounded, info.Size())
	if err != nil {
		return fmt.Errorf("no zip archive: %w", err)
	}
	bounded.opened = true
	for _, f := range z.File {
		body, err := f.Open()
		if err != nil {
			return err
		}
		err = use(entry{f.Name, f.Mode(), body})
		if err := errors.Join(err, body.Close()); err != nil {
			return err
		}
	}
	return nil
}

// A boundedReaderAt reads no more than so much until it is opened: a directory
// without end would be held in memory.
type boundedReaderAt struct {
	r      io.ReaderAt
	left   int
	opened bool
}

// ReadAt implements io.ReaderAt.
func (b *boundedReaderAt) ReadAt(p []byte, at int64) (int, error) {
	if !b.opened {
		if b.left -= len(p); b.left < 0 {
			return 0, fmt.Errorf("its directory has more than %d bytes", maxDirectoryBytes)
		}
	}
	return b.r.ReadAt(p, at)
}
