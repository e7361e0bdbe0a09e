package ucd

import "sync"

// A Category is a general category of Unicode, with one split of its own:
// controls that are white space are apart from other controls.
type Category uint8

// The general categories. Their numbers are those of gen_tables.py.
const (
	Cn Category = iota
	Lu
	Ll
	Lt
	Lm
	Lo
	Mn
	Mc
	Me
	Nd
	Nl
	No
	Pc
	Pd
	Ps
	Pe
	Pi
	Pf
	Po
	Sm
	Sc
	Sk
	So
	Zs
	Zl
	Zp
	Cc
	Cf
	Co
	// CcSpace is a control (Cc) with the property White_Space: tab, line feed,
	// vertical tab, form feed, carriage return and U+0085.
	CcSpace
	categoryCount
)

// A Set is a set of categories, one bit each.
type Set uint32

// Sets that split patterns name.
const (
	Letter      Set = 1<<Lu | 1<<Ll | 1<<Lt | 1<<Lm | 1<<Lo
	Mark        Set = 1<<Mn | 1<<Mc | 1<<Me
	Number      Set = 1<<Nd | 1<<Nl | 1<<No
	Punctuation Set = 1<<Pc | 1<<Pd | 1<<Ps | 1<<Pe | 1<<Pi | 1<<Pf | 1<<Po
	Symbol      Set = 1<<Sm | 1<<Sc | 1<<Sk | 1<<So
	Separator   Set = 1<<Zs | 1<<Zl | 1<<Zp
	// Space is what \s matches.
	Space Set = Separator | 1<<CcSpace
)

// Has reports whether c is in s.
func (s Set) Has(c Category) bool { return s>>c&1 != 0 }

// A Table gives the category of a rune in constant time. It is some 100 KB and
// never changes, so one serves every goroutine: [Shared].
type Table struct {
	ascii [128]Category
	page  [0x110000 >> pageBits]uint16 // index into pages
	pages [][1 << pageBits]Category
}

const pageBits = 7

// Shared returns the table, built at the first call.
var Shared = sync.OnceValue(newTable)

func newTable() *Table {
	const size = 1 << pageBits
	t := new(Table)
	var uniform [categoryCount]uint16 // 1 + the page of one category alone
	run := 0
	startOf := func(run int) uint32 {
		if run < len(categoryRuns) {
			return categoryRuns[run] >> 8
		}
		return 0x110000
	}
	for p := range t.page {
		first := uint32(p) << pageBits
		for startOf(run+1) <= first {
			run++
		}
		category := Category(categoryRuns[run] & 0xFF)
		whole := startOf(run+1) >= first+size
		if whole && uniform[category] != 0 {
			t.page[p] = uniform[category] - 1
			continue
		}
		var page [size]Category
		for i, next := uint32(0), run; i < size; i++ {
			for startOf(next+1) <= first+i {
				next++
			}
			page[i] = Category(categoryRuns[next] & 0xFF)
		}
		t.page[p] = uint16(len(t.pages))
		t.pages = append(t.pages, page)
		if whole {
			uniform[category] = uint16(len(t.pages))
		}
	}
	copy(t.ascii[:], t.pages[t.page[0]][:])
	return t
}

// ASCII returns the category of an ASCII byte; b must be below 0x80.
func (t *Table) ASCII(b byte) Category { return t.ascii[b&0x7F] }

// Category returns the category of r; Cn for what is no code point.
func (t *Table) Category(r rune) Category {
	if uint32(r) >= 0x110000 {
		return Cn
	}
	return t.pages[t.page[r>>pageBits]][r&(1<<pageBits-1)]
}

// Is reports whether the category of r is in s.
func (t *Table) Is(r rune, s Set) bool { return s.Has(t.Category(r)) }
