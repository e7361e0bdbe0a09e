package release

import (
	"encoding/json"
	"fmt"

	"github.com/honeml/hone/sdk/fault"
)

// IndexName is the file at the root of a static tree that lists its versions.
const IndexName = "index.json"

// MaxIndexBytes bounds an index.
const MaxIndexBytes = 1 << 20

// An Index says what a static tree of releases holds. It is not signed: it says where
// to look, and each manifest vouches for itself.
type Index struct {
	Format   int      `json:"format"`
	Name     string   `json:"name"`
	Versions []string `json:"versions"` // newest first
}

// Encode is the index as its file holds it.
func (x *Index) Encode() ([]byte, error) {
	x.Format = manifestFormat
	x.Versions = SortVersions(x.Versions)
	data, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// DecodeIndex reads an index and checks that its names are safe to use as files'.
func DecodeIndex(data []byte) (*Index, error) {
	x := new(Index)
	if err := decodeStrict(data, x); err != nil {
		return nil, fault.New(fault.BadInput, "%s cannot be read: %w", IndexName, err)
	}
	if err := CheckName(x.Name); err != nil {
		return nil, fmt.Errorf("%s: %w", IndexName, err)
	}
	for _, v := range x.Versions {
		if err := CheckVersion(v); err != nil {
			return nil, fmt.Errorf("%s: %w", IndexName, err)
		}
	}
	return x, nil
}
