package wire

import (
	"encoding/json"
	"time"
)

// UnmarshalObject reads a JSON object; no bytes, and null, are an empty one.
func UnmarshalObject(data []byte, into *map[string]any) error {
	*into = map[string]any{}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		return err
	}
	if *into == nil {
		*into = map[string]any{}
	}
	return nil
}

// UnixNano is t as a message holds it; 0 is no time.
func UnixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

// TimeFrom is the reverse of [UnixNano].
func TimeFrom(nanoseconds int64) time.Time {
	if nanoseconds == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}
