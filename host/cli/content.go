package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/honeml/hone/host/basemodel"
	"github.com/honeml/hone/sdk/weights"
)

// modelFingerprint identifies what a model is, wherever its files lie and however
// they are cut into shards: its weights and, of a folder, its configuration. A
// resumed run compares it.
func modelFingerprint(m *basemodel.Model) (string, error) {
	h := sha256.New()
	if m.Folder != "" { // that of a GGUF file is what a plugin makes of it
		config, err := settledConfiguration(m.Configuration)
		if err != nil {
			return "", err
		}
		h.Write(config)
	}
	if err := hashWeights(h, m.Checkpoint); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// settledConfiguration is a config.json in a fixed order, without what says where
// it comes from.
func settledConfiguration(data []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var config map[string]any
	if err := d.Decode(&config); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	for _, key := range []string{"_name_or_path", "transformers_version"} {
		delete(config, key)
	}
	return json.Marshal(config)
}

// adapterFingerprint identifies the values of the adapter in a folder.
func adapterFingerprint(folder string) (string, error) {
	c, err := weights.Open(trainedFile(folder))
	if err != nil {
		return "", fmt.Errorf("adapter %s: %w", folder, err)
	}
	defer c.Close()
	h := sha256.New()
	if err := hashWeights(h, c); err != nil {
		return "", fmt.Errorf("adapter %s: %w", folder, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sampleBytes is how much of a tensor is hashed at each of its three places.
const sampleBytes = 4096

// hashWeights hashes each tensor's name, type, shape and some of its bytes: the
// first, the middle and the last ones. Models differ in all of their tensors, or in
// their shapes; to read hundreds of gigabytes at every start would find no more.
func hashWeights(h hash.Hash, c *weights.Checkpoint) error {
	for t := range c.Tensors() {
		fmt.Fprintf(h, "%q %v %v %d\n", t.Name, t.DType, t.Shape, len(t.Data))
		err := t.View(func(data []byte) error {
			for _, part := range samples(data) {
				if err := binary.Write(h, binary.LittleEndian, int64(len(part))); err != nil {
					return err
				}
				h.Write(part)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// samples are the parts of a tensor's bytes that are hashed.
func samples(data []byte) [][]byte {
	if len(data) <= 3*sampleBytes {
		return [][]byte{data}
	}
	middle := (len(data) - sampleBytes) / 2
	return [][]byte{data[:sampleBytes], data[middle : middle+sampleBytes], data[len(data)-sampleBytes:]}
}
