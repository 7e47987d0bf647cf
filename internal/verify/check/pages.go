package check

import (
	"math/bits"
	"slices"
	"unsafe"
)

// pageBits is a compromise: a page is small beside a run, and a stray number costs one page only.
const pageBits = 9

const pageLen = 1 << pageBits

// paged is an array of zero values that takes memory only where it was touched.
type paged[T any] struct {
	pages map[int64]*[pageLen]T
	// The last page is looked up without the map: neighbours come together.
	at0  int64
	last *[pageLen]T
}

// get is the value at i, nil where nothing was touched.
func (p *paged[T]) get(i int64) *T {
	n := i >> pageBits
	if p.last == nil || p.at0 != n {
		page := p.pages[n]
		if page == nil {
			return nil
		}
		p.at0, p.last = n, page
	}
	return &p.last[i&(pageLen-1)]
}

// at is the value at i; a new page is added to bytes.
func (p *paged[T]) at(i int64, bytes *int64) *T {
	if v := p.get(i); v != nil {
		return v
	}
	if p.pages == nil {
		p.pages = map[int64]*[pageLen]T{}
	}
	page := new([pageLen]T)
	p.pages[i>>pageBits] = page
	p.at0, p.last = i>>pageBits, page
	*bytes += int64(unsafe.Sizeof(*page))
	return &page[i&(pageLen-1)]
}

// each visits every value of every page in order, untouched ones too.
func (p *paged[T]) each(visit func(i int64, v *T)) {
	keys := make([]int64, 0, len(p.pages))
	for n := range p.pages { // order-free
		keys = append(keys, n)
	}
	slices.Sort(keys)
	for _, n := range keys {
		page := p.pages[n]
		for i := range page {
			visit(n<<pageBits+int64(i), &page[i])
		}
	}
}

// bitset is one bit a number.
type bitset struct{ words paged[uint64] }

// add sets i and says whether it was set before.
func (b *bitset) add(i int64, bytes *int64) (before bool) {
	w := b.words.at(i>>6, bytes)
	bit := uint64(1) << (i & 63)
	before = *w&bit != 0
	*w |= bit
	return before
}

func (b *bitset) has(i int64) bool {
	w := b.words.get(i >> 6)
	return w != nil && *w&(1<<(i&63)) != 0
}

func (b *bitset) count() (n int64) {
	b.words.each(func(_ int64, w *uint64) { n += int64(bits.OnesCount64(*w)) })
	return n
}
