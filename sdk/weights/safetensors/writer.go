package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/honeml/hone/sdk/weights/tensorfile"
)

// Options say how files are written.
type Options struct {
	// Metadata is written as "__metadata__". Nil stands for {"format": "pt"},
	// without which transformers refuses a file; an empty map for none.
	Metadata map[string]string
	// Sync waits, when committing, until the data is on the disk.
	Sync bool
}

// Create begins the file at path with the tensors that are to be in it. Write
// each tensor's data to [tensorfile.Writer.Tensor], then call Commit.
//
// The layout is the reference implementation's: by descending dtype, in the order
// of package dtype, then by name.
func Create(path string, tensors []tensorfile.Spec, options Options) (*tensorfile.Writer, error) {
	header, parts, size, err := layOut(tensors, options.Metadata)
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	return tensorfile.Create(path, header, parts, size, tensorfile.Options{Sync: options.Sync})
}

// layOut gives the header, the place of each tensor and the size of the file.
func layOut(tensors []tensorfile.Spec, metadata map[string]string) ([]byte, []tensorfile.Part, int64, error) {
	if metadata == nil {
		metadata = map[string]string{"format": "pt"}
	}
	parts := make([]tensorfile.Part, len(tensors))
	for i, t := range tensors {
		if err := checkSpec(t); err != nil {
			return nil, nil, 0, err
		}
		n, err := t.Bytes()
		if err != nil {
			return nil, nil, 0, err
		}
		parts[i] = tensorfile.Part{Spec: t, Size: int64(n)}
	}
	slices.SortFunc(parts, func(a, b tensorfile.Part) int {
		if a.DType != b.DType {
			return int(b.DType) - int(a.DType)
		}
		return strings.Compare(a.Name, b.Name)
	})
	data := int64(0)
	for i := range parts {
		parts[i].Offset = data
		if data += parts[i].Size; data < 0 {
			return nil, nil, 0, errors.New("the tensors are too large for one file")
		}
	}
	header := encodeHeader(parts, metadata)
	if len(header) > maxHeader {
		return nil, nil, 0, fmt.Errorf("the header would have %d bytes, the format allows %d", len(header), maxHeader)
	}
	for i := range parts {
		parts[i].Offset += int64(len(header))
	}
	return header, parts, data + int64(len(header)), nil
}

func checkSpec(t tensorfile.Spec) error {
	switch {
	case t.Name == "" || t.Name == "__metadata__" || !utf8.ValidString(t.Name):
		return fmt.Errorf("%q cannot be a tensor's name", t.Name)
	case !t.DType.Plain():
		return fmt.Errorf("tensor %q: safetensors has no dtype %s", t.Name, t.DType)
	}
	return nil
}

// encodeHeader is the length and JSON that a file begins with, padded with spaces
// to a multiple of 8. The parts' offsets count from the start of the data.
func encodeHeader(parts []tensorfile.Part, metadata map[string]string) []byte {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	b.WriteByte('{')
	if len(metadata) > 0 {
		b.WriteString(`"__metadata__":{`)
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(&b, key)
			b.WriteByte(':')
			writeString(&b, metadata[key])
		}
		b.WriteByte('}')
	}
	for _, p := range parts {
		if b.Len() > len("01234567{") {
			b.WriteByte(',')
		}
		writeString(&b, p.Name)
		shape := strings.ReplaceAll(strings.Trim(fmt.Sprint(p.Shape), "[]"), " ", ",")
		fmt.Fprintf(&b, `:{"dtype":"%s","shape":[%s],"data_offsets":[%d,%d]}`, p.DType, shape, p.Offset, p.Offset+p.Size)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	header := b.Bytes()
	binary.LittleEndian.PutUint64(header, uint64(len(header)-8))
	return header
}

func writeString(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	// Neither a string nor a bytes.Buffer can fail.
	_ = e.Encode(s)
	b.Truncate(b.Len() - 1) // the newline after it
}
