package wire

import "encoding/json"

// UnmarshalObject reads a JSON object; no bytes are an empty one.
func UnmarshalObject(data []byte, into *map[string]any) error {
	*into = map[string]any{}
	if len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, into)
}
