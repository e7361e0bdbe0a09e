package offline

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"image/png"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/honeml/hone/plugins/logger-wandb/datastore"
	"github.com/honeml/hone/sdk/logger"
)

// maxImage is the largest image file in bytes that is taken.
const maxImage = 64 << 20

// histogram is W&B's value for a histogram; it needs no file.
func histogram(h logger.Histogram) (tree, error) {
	if len(h.Edges) != len(h.Counts)+1 {
		return nil, fmt.Errorf("%d edges for %d counts, there must be one more", len(h.Edges), len(h.Counts))
	}
	return tree{"_type": "histogram", "bins": h.Edges, "values": h.Counts}, nil
}

// text stores a text as an HTML file that shows it as it is, line for line.
func (r *Run) text(name, text string, step int64) (tree, error) {
	page := "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<pre style=\"white-space: pre-wrap\">" +
		html.EscapeString(strings.ToValidUTF8(text, "\uFFFD")) + "</pre>\n"
	return r.store("html-file", "html", name, ".html", step, []byte(page))
}

// table stores a table as W&B's JSON file.
func (r *Run) table(name string, t logger.Table, step int64) (tree, error) {
	for i, row := range t.Rows {
		if len(row) != len(t.Columns) {
			return nil, fmt.Errorf("row %d has %d cells, the table has %d columns", i, len(row), len(t.Columns))
		}
	}
	content, err := datastore.JSON(map[string]any{"columns": t.Columns, "data": t.Rows})
	if err != nil {
		return nil, err
	}
	value, err := r.store("table-file", "table", name, ".table.json", step, []byte(content))
	if err == nil {
		value["ncols"], value["nrows"] = int64(len(t.Columns)), int64(len(t.Rows))
	}
	return value, err
}

// image stores a copy of a PNG file; relative paths start at the run's folder of
// hone.
func (r *Run) image(name, file string, step int64) (tree, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(r.settings.Directory, file)
	}
	source, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	data, err := io.ReadAll(io.LimitReader(source, maxImage+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxImage {
		return nil, fmt.Errorf("%s has more than %d bytes", file, maxImage)
	}
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s is no PNG file: %w", file, err)
	}
	value, err := r.store("image-file", "images", name, ".png", step, data)
	if err == nil {
		value["format"], value["width"], value["height"] = "png", int64(config.Width), int64(config.Height)
	}
	return value, err
}

// store writes a media file below files/ and is the value that stands for it in
// the history. The name carries the content's hash, so that a record that is
// written again meets its own file.
func (r *Run) store(kind, folder, name, extension string, step int64, data []byte) (tree, error) {
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	file := path.Join("media", folder, fmt.Sprintf("%s_%d_%s%s", safePath(name), step, hash[:20], extension))
	target := filepath.Join(r.folder, "files", filepath.FromSlash(file))
	if _, err := os.Stat(target); err != nil {
		if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
			return nil, storageError{err}
		}
		if err := replaceFile(target, data); err != nil {
			return nil, storageError{err}
		}
	}
	return tree{"_type": kind, "path": file, "sha256": hash, "size": int64(len(data))}, nil
}

// A storageError is one of writing, which must be mended before the run can go
// on; other errors are those of one value.
type storageError struct{ error }

func (e storageError) Unwrap() error { return e.error }

// safePath is a metric's name as a path below a folder: no part of it leads
// elsewhere or is too long for a file system.
func safePath(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		part = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._- ", r) {
				return r
			}
			return '_'
		}, part)
		for len(part) > 100 {
			part = strings.ToValidUTF8(part[:100], "")
		}
		if strings.Trim(part, ".") == "" {
			part = "_"
		}
		parts[i] = part
	}
	return strings.Join(parts, "/")
}
