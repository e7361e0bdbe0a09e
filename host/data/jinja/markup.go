package jinja

import (
	"html"
	"strings"
)

// escaped is s as markup: what HTML gives a meaning is replaced, unless s is
// markup already.
func escaped(s String) String {
	if s.safe {
		return s
	}
	return String{Text: escapeHTML(s.Text), safe: true}
}

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}

// stripTags is a text without its tags and comments, with single spaces, and its
// character references replaced.
func stripTags(s string) string {
	var out strings.Builder
	rest := s
	for {
		start := strings.IndexByte(rest, '<')
		if start < 0 {
			break
		}
		end := 0
		if strings.HasPrefix(rest[start:], "<!--") {
			if end = strings.Index(rest[start+4:], "-->"); end < 0 {
				break
			}
			end += start + 4 + len("-->")
		} else {
			if end = strings.IndexByte(rest[start:], '>'); end < 0 {
				break
			}
			end += start + 1
		}
		out.WriteString(rest[:start])
		rest = rest[end:]
	}
	out.WriteString(rest)
	return html.UnescapeString(strings.Join(splitFields(out.String(), -1), " "))
}
