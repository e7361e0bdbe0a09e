package data

import "fmt"

// place adds a row's documents to the data set, after what becomes of those that
// are too long.
func (l *loader) place(where string, e *encoded, source *Source) *Problem {
	n, most := len(e.ids), l.spec.MaxLength
	l.report.Longest = max(l.report.Longest, n)
	if e.straddles {
		l.straddles++
	}
	row := int32(l.report.Rows - 1)
	if n <= most {
		if !anyLearned(e.supervised) {
			return nothingLearned(e)
		}
		l.set.add(row, where, e.ids, e.supervised)
		return nil
	}
	long := problem(TooLong, "%d tokens, %d more than the %d that a document may have", n, n-most, most)
	long.Where = where
	if source.Overlong == OverlongStop {
		return long.withHint(`raise train.max_length, or set data.overlong = "truncate", "split" or "skip"`)
	}
	l.report.Overlong.add(long)
	switch source.Overlong {
	case OverlongSplit:
		return l.split(row, where, e)
	case OverlongTruncate:
		if !anyLearned(e.supervised[:most]) {
			return problem(Masked, "none of its first %d tokens is learned, and it has %d", most, n).
				withHint(`raise train.max_length, or set data.overlong = "skip"`)
		}
		l.set.add(row, where, e.ids[:most], e.supervised[:most])
	}
	return nil
}

// split adds a row piece by piece.
func (l *loader) split(row int32, where string, e *encoded) *Problem {
	most := l.spec.MaxLength
	added := false
	for part, at := 1, 0; at < len(e.ids); part, at = part+1, at+most {
		end := min(at+most, len(e.ids))
		if !anyLearned(e.supervised[at:end]) {
			l.report.Pieces++
			continue
		}
		l.set.add(row, fmt.Sprintf("%s (part %d)", where, part), e.ids[at:end], e.supervised[at:end])
		added = true
	}
	if !added {
		return nothingLearned(e)
	}
	return nil
}

// anyLearned reports whether a document has a token to learn; its first is none.
func anyLearned(supervised []bool) bool {
	for i, s := range supervised {
		if s && i > 0 {
			return true
		}
	}
	return false
}

func nothingLearned(e *encoded) *Problem {
	switch len(e.ids) {
	case 0:
		return problem(Empty, "it has no tokens")
	case 1:
		return problem(Masked, "it is a single token, and a document's first is never learned")
	}
	return problem(Masked, "none of its %d tokens is learned", len(e.ids))
}
