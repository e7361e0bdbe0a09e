package pluginhost

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/honeml/hone/sdk/kernels"
	"github.com/honeml/hone/sdk/logger"
	"github.com/honeml/hone/sdk/model"
	"github.com/honeml/hone/sdk/plugin"
)

// cacheFormat changes when the form of a cached description, or what the host reads out
// of a plugin's answer, does. Files of another format are thrown away.
const cacheFormat = 1

// cacheFileLimit bounds a file of the cache, in bytes.
const cacheFileLimit = 4 << 20

// A description is what a plugin says of itself, one of the three.
type description struct {
	Model   *model.Description   `json:"model,omitempty"`
	Kernels *kernels.Description `json:"kernels,omitempty"`
	Logger  *logger.Description  `json:"logger,omitempty"`
}

// validate reports an answer that the host cannot use.
func (d description) validate(kind plugin.Kind) error {
	switch {
	case kind == plugin.Model && d.Model != nil:
		if len(d.Model.Architectures)+len(d.Model.GGUFArchitectures) == 0 {
			return errors.New("it answers for no architecture")
		}
		return nil
	case kind == plugin.Kernels && d.Kernels != nil:
		if len(d.Kernels.Ops) == 0 {
			return errors.New("it implements no operation of the Graph")
		}
		return d.Kernels.Schema.Validate()
	case kind == plugin.Logger && d.Logger != nil:
		return d.Logger.Schema.Validate()
	}
	return fmt.Errorf("no description of a %s plugin", kind)
}

// A fileKey tells whether a file is still the one that was described, without
// reading it.
type fileKey struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	ModTime int64  `json:"mod_time"` // in nanoseconds
	Device  uint64 `json:"device"`   // where the system has these three
	Inode   uint64 `json:"inode"`
	Changed int64  `json:"changed"` // in nanoseconds: cannot be set by a user
}

func keyOf(path string) (fileKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileKey{}, err
	}
	key := fileKey{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano()}
	key.fromSystem(info)
	return key, nil
}

// A cacheEntry is a file of the cache.
type cacheEntry struct {
	Format      int         `json:"format"`
	Protocol    int         `json:"protocol"`
	Key         fileKey     `json:"key"`
	Kind        plugin.Kind `json:"kind"`
	Checksum    []byte      `json:"checksum"` // SHA-256
	Description description `json:"description"`
}

// A cache keeps descriptions in a folder, a file for each binary. Processes may use it
// at once: a file is replaced as a whole.
type cache struct{ folder string }

func (c cache) file(path string) string {
	name := sha256.Sum256([]byte(path))
	return filepath.Join(c.folder, fmt.Sprintf("%x.json", name[:16]))
}

// load is the entry for key, or nil. What cannot be read, or is not what store
// writes, counts as absent.
func (c cache) load(key fileKey, kind plugin.Kind) *cacheEntry {
	if c.folder == "" {
		return nil
	}
	f, err := os.Open(c.file(key.Path))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, cacheFileLimit))
	if err != nil {
		return nil
	}
	return parseEntryFile(data, key, kind)
}

// parseEntryFile reads a file of the cache.
func parseEntryFile(data []byte, key fileKey, kind plugin.Kind) *cacheEntry {
	e := new(cacheEntry)
	if json.Unmarshal(data, e) != nil {
		return nil
	}
	if e.Format != cacheFormat || e.Protocol != plugin.ProtocolVersion || e.Key != key || e.Kind != kind ||
		len(e.Checksum) != sha256.Size || e.Description.validate(kind) != nil {
		return nil
	}
	return e
}

// store keeps an entry.
func (c cache) store(e *cacheEntry) error {
	if c.folder == "" {
		return nil
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if len(data) >= cacheFileLimit {
		return fmt.Errorf("a description of %d bytes", len(data))
	}
	if err := os.MkdirAll(c.folder, 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(c.folder, "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails after the rename, as it should
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), c.file(e.Key.Path))
}

// Checksum is the SHA-256 of a file.
func Checksum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
