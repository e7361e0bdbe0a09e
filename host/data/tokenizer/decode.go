package tokenizer

import "strings"

// Decode returns the text of ids. Ids that no token has are left out, as are
// special tokens if skipSpecial. Bytes that are not valid UTF-8 become U+FFFD.
// The error is that of a decoder's pattern that took too long.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if text, ok := t.visible(id, skipSpecial); ok {
			tokens = append(tokens, text)
		}
	}
	parts, err := t.decoder.decode(tokens)
	if err != nil {
		return "", err
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return strings.Join(parts, ""), nil
}

// visible returns the text of a token that decoding is to show.
func (t *Tokenizer) visible(id int32, skipSpecial bool) (string, bool) {
	text, ok := t.TokenText(id)
	// By its text, as the library does: a special token that normalising
	// changes is shown.
	return text, ok && (!skipSpecial || !t.added.special[text])
}
