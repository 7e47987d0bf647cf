package vfs

import "slices"

const pageSize = 4096

// pages is the contents of a file. Copies made by share have the pages in common until one of them is written to, so
// that a snapshot of a disk costs nothing.
type pages struct {
	size int64
	list []*page // nil: zeros
	own  *token  // pages with this token, and list, belong to this copy alone; nil: everything is shared
}

type page struct {
	own  *token
	data [pageSize]byte
}

type token struct{ _ byte } // not empty: each has its own address

// share returns a copy. Neither may write in place afterwards.
func (p *pages) share() pages {
	p.own = nil
	return *p
}

// claim makes list writable.
func (p *pages) claim() {
	if p.own == nil {
		p.own = new(token)
		p.list = slices.Clone(p.list)
	}
}

// page returns page i, writable.
func (p *pages) page(i int64) *page {
	pg := p.list[i]
	switch {
	case pg == nil:
		pg = &page{own: p.own}
	case pg.own != p.own:
		pg = &page{own: p.own, data: pg.data}
	}
	p.list[i] = pg
	return pg
}

func (p *pages) readAt(b []byte, off int64) int {
	if off >= p.size {
		return 0
	}
	b = b[:min(int64(len(b)), p.size-off)]
	for done := 0; done < len(b); {
		at := off + int64(done)
		chunk := b[done:min(len(b), done+int(pageSize-at%pageSize))]
		if pg := p.list[at/pageSize]; pg != nil {
			copy(chunk, pg.data[at%pageSize:])
		} else {
			clear(chunk)
		}
		done += len(chunk)
	}
	return len(b)
}

func (p *pages) writeAt(b []byte, off int64) {
	p.grow(off + int64(len(b)))
	p.claim()
	for len(b) > 0 {
		n := copy(p.page(off / pageSize).data[off%pageSize:], b)
		b, off = b[n:], off+int64(n)
	}
}

// zero writes n zeros at off.
func (p *pages) zero(off, n int64) {
	p.grow(off + n)
	p.claim()
	for n > 0 {
		i, in := off/pageSize, off%pageSize
		k := min(n, pageSize-in)
		switch {
		case p.list[i] == nil:
		case k == pageSize:
			p.list[i] = nil
		default:
			clear(p.page(i).data[in : in+k])
		}
		off, n = off+k, n-k
	}
}

// grow makes the file at least size bytes long.
func (p *pages) grow(size int64) {
	if size > p.size {
		p.truncate(size)
	}
}

func (p *pages) truncate(size int64) {
	p.claim()
	count := int((size + pageSize - 1) / pageSize)
	if count <= len(p.list) {
		clear(p.list[count:])
		p.list = p.list[:count]
	} else {
		p.list = append(p.list, make([]*page, count-len(p.list))...)
	}
	if in := size % pageSize; size < p.size && in != 0 && p.list[count-1] != nil {
		clear(p.page(int64(count - 1)).data[in:]) // growing again must read zeros
	}
	p.size = size
}
