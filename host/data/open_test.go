package data

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readAll is a file's rows, one a line of the result: number of the line, text,
// problem.
func readAll(t *testing.T, path string, format Format) (string, FileReport, error) {
	t.Helper()
	f, err := open(path)
	if err != nil {
		return "", FileReport{}, err
	}
	defer f.Close()
	reader, err := newRawReader(f, format)
	if err != nil {
		return "", FileReport{}, err
	}
	var out []string
	for {
		row, err := reader.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return strings.Join(out, "\n"), FileReport{}, err
		}
		text := string(row.data)
		if row.lost != nil {
			text = row.lost.Message
		}
		out = append(out, fmt.Sprintf("%d %s", row.line, text))
	}
	report, err := f.finish()
	return strings.Join(out, "\n"), report, err
}

func zipped(t testing.TB, parts ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, part := range parts {
		w := gzip.NewWriter(&out)
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func TestReadingRows(t *testing.T) {
	long := strings.Repeat("x", maxRow)
	tests := []struct {
		name, file, content string
		format              Format
		want                string
	}{
		{"lines", "a.jsonl", "{}\n{\"a\": 1}\n", FormatAuto, "1 {}\n2 {\"a\": 1}"},
		{"no newline at the end", "a.ndjson", "{}\n[]", FormatAuto, "1 {}\n2 []"},
		{"blank lines", "a.jsonl", "\n{}\n  \t\n\n{}\n\n", FormatAuto, "2 {}\n5 {}"},
		{"CRLF", "a.jsonl", "{}\r\n{}\r\n", FormatAuto, "1 {}\n2 {}"},
		{"byte order mark", "a.jsonl", "\ufeff{}\n", FormatAuto, "1 {}"},
		{"gzip", "a.jsonl.gz", string(zipped(t, []byte("{}\n[1]\n"))), FormatAuto, "1 {}\n2 [1]"},
		{"gzip by another name", "a.jsonl", string(zipped(t, []byte("\ufeff{}\n"))), FormatAuto, "1 {}"},
		{"gzip in two members", "a.jsonl.gz", string(zipped(t, []byte("{}\n{"), []byte("}\n"))), FormatAuto, "1 {}\n2 {}"},
		{"not zipped, whatever its name", "a.jsonl.gz", "{}\n", FormatAuto, "1 {}"},
		{"text", "a.TXT", "one\n\n two \r\nthree", FormatAuto, "1 one\n3  two \n4 three"},
		{"gzipped text", "a.txt.gz", string(zipped(t, []byte("{ one\n"))), FormatAuto, "1 { one"},
		{"told to be text", "a.jsonl", "{}\n", FormatText, "1 {}"},
		{"empty", "a.jsonl", "", FormatAuto, ""},
		{"empty text", "a.txt", "\n\n", FormatAuto, ""},
		{"empty array", "a.json", " ", FormatJSON, ""},
		{"an array", "a.json", "[{\"a\": 1},\n {\"b\": [1, \"]}\", \"\\\"]\"]}\n]\n", FormatAuto, "1 {\"a\": 1}\n2 {\"b\": [1, \"]}\", \"\\\"]\"]}"},
		{"an array of no rows", "a.json", "[ ]", FormatAuto, ""},
		{"an array over lines", "a.json", "\n[\n{\n},\n\n{}]", FormatAuto, "3 {\n}\n6 {}"},
		{"an array of what are no objects", "a.json", `[1, "a,]", null,[2], true]`, FormatAuto, "1 1\n1 \"a,]\"\n1 null\n1 [2]\n1 true"},
		{"an array in .jsonl", "a.jsonl", "[{},{}]", FormatAuto, "1 {}\n1 {}"},
		{"lines in .json", "a.json", "{}\n{}\n", FormatAuto, "1 {}\n2 {}"},
		{"an array by another name", "a.data", " [{}]", FormatAuto, "1 {}"},
		{"lines by another name", "train", "{}\n{}", FormatAuto, "1 {}\n2 {}"},
		{"a line as long as may be", "a.txt", long + "\nb", FormatAuto, "1 " + long + "\n2 b"},
		{"a line too long", "a.txt", "a\n" + long + "yz\nb\n" + long + "y", FormatAuto,
			"1 a\n2 a line of more than 16 MiB\n3 b\n4 a line of more than 16 MiB"},
		{"an element too long", "a.json", `["` + long + `", 1]`, FormatAuto, "1 a row of more than 16 MiB\n1 1"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := writeFile(t, test.file, []byte(test.content))
			got, report, err := readAll(t, path, test.format)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got\n%.200s\nwant\n%.200s", got, test.want)
			}
			sum := sha256.Sum256([]byte(test.content))
			if report.SHA256 != hex.EncodeToString(sum[:]) || report.Bytes != int64(len(test.content)) {
				t.Errorf("the file has %d bytes, the report says %d, or another checksum", len(test.content), report.Bytes)
			}
		})
	}
}

func TestUnreadableFiles(t *testing.T) {
	whole := zipped(t, []byte("{}\n{}\n"))
	tests := []struct {
		name, file string
		content    []byte
		want       string // a part of the error
	}{
		{"Parquet", "a.parquet", []byte("PAR1xxxx"), "a Parquet file"},
		{"zstd", "a.jsonl.zst", []byte("\x28\xb5\x2f\xfdxx"), "compressed with zstd"},
		{"zip", "a.zip", []byte("PK\x03\x04xx"), "a zip archive"},
		{"UTF-16", "a.txt", []byte("\xff\xfea\x00"), "UTF-16"},
		{"a pointer", "a.jsonl", []byte("version https://git-lfs.github.com/spec/v1\n"), "Git LFS"},
		{"zipped twice", "a.jsonl.gz", zipped(t, whole), "compressed twice"},
		{"a table", "a.csv", []byte("a,b\n"), "a table"},
		{"anything", "a.data", []byte("hello"), "neither its name"},
		{"gzip cut short", "a.jsonl.gz", whole[:len(whole)-6], "cut short"},
		{"gzip with rubbish behind", "a.jsonl.gz", append(bytes.Clone(whole), "rubbish and more of it"...), "gzip"},
		{"no gzip", "a.jsonl.gz", []byte("\x1f\x8bxxxxxxxxxxxx"), "gzip"},
		{"an array cut short", "a.json", []byte("[{}, {\n"), "line 1: the row that begins here has no end"},
		{"an array without end", "a.json", []byte("[{}\n"), "line 2: the array has no end"},
		{"an array that ends after a comma", "a.json", []byte("[{},\n"), "line 2: the array has no end"},
		{"an array that only begins", "a.json", []byte("["), "line 1: the array has no end"},
		{"no comma", "a.json", []byte("[{}\n{}]"), `line 2: '{' where a comma`},
		{"a comma too many", "a.json", []byte("[{},]"), "a comma without a row after it"},
		{"a comma at first", "a.json", []byte("[,{}]"), "a comma without a row before it"},
		{"after the end", "a.json", []byte("[{}]\n{}"), `line 2: '{' after the end`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := readAll(t, writeFile(t, test.file, test.content), FormatAuto)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want …%s…", err, test.want)
			}
		})
	}
	t.Run("no array", func(t *testing.T) {
		_, _, err := readAll(t, writeFile(t, "a.json", []byte("{}")), FormatJSON)
		if err == nil || !strings.Contains(err.Error(), "where an array of rows should begin") {
			t.Error(err)
		}
	})
	t.Run("a folder", func(t *testing.T) {
		if _, err := open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a folder") {
			t.Error(err)
		}
	})
	t.Run("a device", func(t *testing.T) {
		if _, err := open(os.DevNull); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Error(err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		if _, err := open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}

// zeros gives zeros for ever.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestGrowthIsBounded(t *testing.T) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := io.CopyN(w, zeros{}, growthFree+(8<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, _, err := readAll(t, writeFile(t, "a.txt.gz", out.Bytes()), FormatAuto)
	if err == nil || !strings.Contains(err.Error(), "times its size") {
		t.Errorf("72 MiB out of %d bytes: %v", out.Len(), err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.jsonl", "a.json.gz", "notes.md", "c.TXT", ".hidden.txt", "d1.dat", "d2.dat"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "sub.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, source, want, err string }{
		{"a file", "notes.md", "notes.md", ""},
		{"a folder", ".", "a.json.gz b.jsonl c.TXT", ""},
		{"a pattern", "d?.dat", "d1.dat d2.dat", ""},
		{"folders do not match", "*.jsonl", "b.jsonl", ""},
		{"an empty folder", "sub.jsonl", "", "no .jsonl"},
		{"nothing matches", "z*", "", "no file matches"},
		{"a broken pattern", "[", "", "syntax error"},
		{"missing", "z", "", "no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			files, err := Files(filepath.Join(dir, test.source))
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want …%s…", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range files {
				names = append(names, filepath.Base(f))
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	if _, err := Files("hf://datasets/a/b"); err == nil || !strings.Contains(err.Error(), "download") {
		t.Error(err)
	}
}
