package data

import "fmt"

// collect takes a batch's results.
func (l *loader) collect(b *batch) error {
	for i := range b.results {
		r := &b.results[i]
		if r.encoded == nil && r.problem == nil {
			break // b.err ended the batch here
		}
		l.report.Rows++
		place := where(b.path, b.rows[i].line)
		if r.row != nil {
			l.report.Shapes[r.row.shape]++
			for _, key := range r.row.unused {
				l.report.countUnused(key)
			}
		}
		if r.problem == nil {
			r.problem = l.place(place, r.encoded, b.source)
		}
		if r.problem != nil {
			if err := l.fail(place, r.problem, b.source); err != nil {
				return err
			}
		}
	}
	if b.file != nil {
		l.report.Files = append(l.report.Files, *b.file)
	}
	return b.err
}

// fail counts a row that could not be used.
func (l *loader) fail(place string, p *Problem, source *Source) error {
	p.Where = place
	l.report.tally(p.Kind).add(p)
	skippable := p.Kind != TooLong
	if skippable && source.OnError == ErrorSkip {
		return nil
	}
	l.skippable = skippable && (l.skippable || l.failed.Count == 0)
	l.failed.add(p)
	if l.failed.Count >= tooMany {
		l.failed.Cut = true
		return errEnough
	}
	return nil
}

func (l *loader) finishReport() {
	r, set := l.report, &l.set.set
	r.Documents, r.Tokens, r.Supervised = len(set.Documents), set.Tokens(), set.Supervised()
	if l.straddles > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("in %d rows a token spans the end of the prompt and the beginning of the completion; it is learned. "+
			"Let the completion, not the prompt, have the space between them", l.straddles))
	}
	if l.encoder.EOS == NoToken {
		r.Notes = append(r.Notes, "the tokenizer has no end-of-sequence token, so nothing teaches the model where to end")
	} else if len(set.Documents) > 0 && !set.learns(l.encoder.EOS) {
		text, _ := l.encoder.Tokenizer.TokenText(l.encoder.EOS)
		r.Notes = append(r.Notes, fmt.Sprintf("the end-of-sequence token %s is learned nowhere, so the model may not learn where to end", text))
	}
}
