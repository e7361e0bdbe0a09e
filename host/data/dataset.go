package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
)

// A Dataset is documents in the order of their files.
type Dataset struct {
	Documents []*Document
	rows      []int32 // of each document, the number of its row
}

// Lengths are the documents' numbers of tokens.
func (d *Dataset) Lengths() []int {
	out := make([]int, len(d.Documents))
	for i, doc := range d.Documents {
		out[i] = len(doc.IDs)
	}
	return out
}

// Tokens is the number of tokens of all documents.
func (d *Dataset) Tokens() int64 {
	n := int64(0)
	for _, doc := range d.Documents {
		n += int64(len(doc.IDs))
	}
	return n
}

// Supervised is the number of tokens whose prediction is learned.
func (d *Dataset) Supervised() int64 {
	n := int64(0)
	for _, doc := range d.Documents {
		n += int64(doc.SupervisedTokens())
	}
	return n
}

// learns reports whether a token is learned anywhere.
func (d *Dataset) learns(id int32) bool {
	for _, doc := range d.Documents {
		for i, s := range doc.Supervised {
			if s && i > 0 && doc.IDs[i] == id {
				return true
			}
		}
	}
	return false
}

// Fingerprint identifies the documents: two data sets with the same one give the
// same training. It is a SHA-256 over their tokens and what is learned of them,
// so it takes in whatever the tokenizer, the template and the settings have done
// and leaves out where files lie.
func (d *Dataset) Fingerprint() string {
	h := sha256.New()
	for _, doc := range d.Documents {
		hashDocument(h, doc)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashDocument hashes the length, the ids as little-endian integers, and the
// marks, 8 a byte.
func hashDocument(h hash.Hash, doc *Document) {
	buffer := make([]byte, 0, 4096)
	buffer = binary.LittleEndian.AppendUint64(buffer, uint64(len(doc.IDs)))
	for _, id := range doc.IDs {
		if len(buffer) > 4096-4 {
			h.Write(buffer)
			buffer = buffer[:0]
		}
		buffer = binary.LittleEndian.AppendUint32(buffer, uint32(id))
	}
	h.Write(buffer)
	marks := make([]byte, (len(doc.IDs)+7)/8)
	for i, learned := range doc.Supervised {
		if learned && i > 0 {
			marks[i/8] |= 1 << (i % 8)
		}
	}
	h.Write(marks)
}

// splitStream keeps the numbers that Split draws apart from those that shuffle
// epochs by the same seed.
const splitStream = 0x5eed0f5b117

// Split takes a fraction of the rows off, drawn by seed: at least one, and not
// all. Both parts keep the order, and all documents of a row stay together.
func (d *Dataset) Split(fraction float64, seed uint64) (rest, taken *Dataset, err error) {
	if !(fraction > 0 && fraction < 1) {
		return nil, nil, fmt.Errorf("a fraction of %v: it has to lie between 0 and 1", fraction)
	}
	var rows []int32 // each once
	for i, row := range d.rows {
		if i == 0 || row != d.rows[i-1] {
			rows = append(rows, row)
		}
	}
	if len(rows) < 2 {
		return nil, nil, fmt.Errorf("a fraction of %v of %d rows: there have to be 2 at least", fraction, len(rows))
	}
	n := min(max(int(math.Round(fraction*float64(len(rows)))), 1), len(rows)-1)
	chosen := make(map[int32]bool, n)
	for _, i := range rand.New(rand.NewPCG(seed, splitStream)).Perm(len(rows))[:n] {
		chosen[rows[i]] = true
	}
	rest, taken = &Dataset{}, &Dataset{}
	for i, doc := range d.Documents {
		to := rest
		if chosen[d.rows[i]] {
			to = taken
		}
		to.Documents = append(to.Documents, doc)
		to.rows = append(to.rows, d.rows[i])
	}
	return rest, taken, nil
}

// A builder collects documents. Their tokens lie in slabs, each twice as large as
// the one before up to a limit, for a data set may have millions of documents.
type builder struct {
	set       Dataset
	documents []Document // not used yet
	ids       []int32    // the slab, filled up to its length
	marks     []bool
}

const (
	firstSlab     = 1 << 12 // tokens
	slabTokens    = 1 << 18
	slabDocuments = 1 << 8
)

// add copies a document.
func (b *builder) add(row int32, where string, ids []int32, supervised []bool) *Document {
	if len(b.ids)+len(ids) > cap(b.ids) {
		b.ids = make([]int32, 0, max(min(2*cap(b.ids), slabTokens), firstSlab, len(ids)))
		b.marks = make([]bool, 0, cap(b.ids))
	}
	if len(b.documents) == 0 {
		b.documents = make([]Document, slabDocuments)
	}
	at, end := len(b.ids), len(b.ids)+len(ids)
	b.ids = append(b.ids, ids...)
	b.marks = append(b.marks, supervised...)
	doc := &b.documents[0]
	b.documents = b.documents[1:]
	*doc = Document{Where: where, IDs: b.ids[at:end:end], Supervised: b.marks[at:end:end]}
	b.set.Documents = append(b.set.Documents, doc)
	b.set.rows = append(b.set.rows, row)
	return doc
}
