package wire

import "strings"

// Text is s without bytes that are no UTF-8, which a message cannot hold: they are
// replaced, as a terminal shows them. Names of files and what a model generates can
// have such.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Texts is the same for each of a list.
func Texts(in []string) []string {
	for i, s := range in {
		if Text(s) == s {
			continue
		}
		out := append([]string(nil), in...)
		for j := i; j < len(out); j++ {
			out[j] = Text(out[j])
		}
		return out
	}
	return in
}

// TextMap is the same for the keys and values of a map.
func TextMap(in map[string]string) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for k, v := range in {
		out[Text(k)] = Text(v)
	}
	return out
}
