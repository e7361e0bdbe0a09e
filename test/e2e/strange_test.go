//go:build unix

package e2e

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"testing"
)

// strangeToken is the id of "~" in the example's vocabulary. No lesson has it.
const strangeToken = 97

// strangeLine is a document with the strange token.
const strangeLine = `{"messages": [{"role": "user", "content": "~"}, {"role": "assistant", "content": "Arr!"}]}` + "\n"

// makeStrange damages the workspace's model so that documents with the strange
// token, and no others, have a loss that is not finite: the token's embedding is
// NaN, and the head is no longer tied to it.
func (w *workspace) makeStrange(t testing.TB) {
	t.Helper()
	path := w.path("model", "model.safetensors")
	file, err := os.ReadFile(path)
	must(t, err)
	size := binary.LittleEndian.Uint64(file)
	var header map[string]map[string]any
	must(t, json.Unmarshal(file[8:8+size], &header))
	data := file[8+size:]

	const name = "model.embed_tokens.weight"
	embedding := header[name]
	offsets, shape := embedding["data_offsets"].([]any), embedding["shape"].([]any)
	begin, end, width := int(offsets[0].(float64)), int(offsets[1].(float64)), int(shape[1].(float64))
	header["lm_head.weight"] = map[string]any{
		"dtype": embedding["dtype"], "shape": shape, "data_offsets": []int{len(data), len(data) + end - begin},
	}
	data = append(data, data[begin:end]...)
	for i := range width { // bfloat16
		binary.LittleEndian.PutUint16(data[begin+2*(strangeToken*width+i):], 0x7fc0)
	}
	text, err := json.Marshal(header)
	must(t, err)
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	must(t, os.WriteFile(path, append(out, data...), 0o644))

	var config map[string]any
	must(t, json.Unmarshal([]byte(w.read(t, "model", "config.json")), &config))
	config["tie_word_embeddings"] = false
	text, err = json.Marshal(config)
	must(t, err)
	must(t, os.WriteFile(w.path("model", "config.json"), text, 0o644))
}
