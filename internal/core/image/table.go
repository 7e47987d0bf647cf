package image

import (
	"iter"
	"slices"
)

// maxChunk is the number of entries at which a chunk splits. One change copies one chunk and the list of chunks:
// at 10,000 entries that is about 1 KiB and 1 KiB.
const maxChunk = 128

// ordered is a key that knows its order.
type ordered[K any] interface{ compare(K) int }

// table is an immutable sorted map: a sorted list of sorted chunks. Changing it through a tableEdit copies the list
// and the chunks that change; all else is shared, which is also what makes diff cheap.
// The zero table is empty. It is sorted rather than hashed because snapshots, listings and cursors need the order.
type table[K ordered[K], V any] struct {
	chunks []*chunk[K, V] // none is empty
	len    int
}

type chunk[K ordered[K], V any] struct {
	owner *token // of the edit that may still change this chunk in place
	keys  []K
	vals  []V
}

// locate returns the chunk that holds k, or would hold it, and the place inside it.
func locate[K ordered[K], V any](chunks []*chunk[K, V], k K) (ci, i int, found bool) {
	ci, found = slices.BinarySearchFunc(chunks, k, func(c *chunk[K, V], k K) int { return c.keys[0].compare(k) })
	if found {
		return ci, 0, true
	}
	if ci > 0 {
		ci--
	}
	if ci == len(chunks) {
		return ci, 0, false
	}
	i, found = slices.BinarySearchFunc(chunks[ci].keys, k, func(a, b K) int { return a.compare(b) })
	return ci, i, found
}

func (t *table[K, V]) get(k K) (v V, ok bool) {
	ci, i, found := locate(t.chunks, k)
	if !found {
		return v, false
	}
	return t.chunks[ci].vals[i], true
}

// all yields every entry in key order.
func (t *table[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, c := range t.chunks {
			for i, k := range c.keys {
				if !yield(k, c.vals[i]) {
					return
				}
			}
		}
	}
}

// from yields the entries whose key is k or later, in key order.
func (t *table[K, V]) from(k K) iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		ci, i, _ := locate(t.chunks, k)
		for ; ci < len(t.chunks); ci, i = ci+1, 0 {
			c := t.chunks[ci]
			for ; i < len(c.keys); i++ {
				if !yield(c.keys[i], c.vals[i]) {
					return
				}
			}
		}
	}
}

func (t *table[K, V]) edit() *tableEdit[K, V] {
	return &tableEdit[K, V]{token: new(token), base: t.chunks, len: t.len}
}

// token tells the chunks of one edit from those of others. A chunk does not point at the edit itself, which would
// keep every older version of the table alive. It has a size, so that each has its own address.
type token struct{ _ byte }

// tableEdit changes a copy of a table. It is used by one goroutine and is dead after done.
type tableEdit[K ordered[K], V any] struct {
	token  *token
	base   []*chunk[K, V] // shared with the table until the first change
	chunks []*chunk[K, V] // our own list, nil until the first change
	len    int
}

func (e *tableEdit[K, V]) list() []*chunk[K, V] {
	if e.chunks != nil {
		return e.chunks
	}
	return e.base
}

func (e *tableEdit[K, V]) get(k K) (v V, ok bool) {
	t := table[K, V]{chunks: e.list()}
	return t.get(k)
}

// own makes the list, and the chunk at ci if there is one, ours to change.
func (e *tableEdit[K, V]) own(ci int) *chunk[K, V] {
	if e.chunks == nil {
		e.chunks = make([]*chunk[K, V], len(e.base), len(e.base)+1)
		copy(e.chunks, e.base)
	}
	if ci == len(e.chunks) {
		e.chunks = append(e.chunks, &chunk[K, V]{owner: e.token})
	}
	c := e.chunks[ci]
	if c.owner != e.token {
		n := len(c.keys)
		c = &chunk[K, V]{owner: e.token, keys: append(make([]K, 0, n+1), c.keys...), vals: append(make([]V, 0, n+1), c.vals...)}
		e.chunks[ci] = c
	}
	return c
}

func (e *tableEdit[K, V]) set(k K, v V) {
	ci, i, found := locate(e.list(), k)
	c := e.own(ci)
	if found {
		c.vals[i] = v
		return
	}
	c.keys = slices.Insert(c.keys, i, k)
	c.vals = slices.Insert(c.vals, i, v)
	e.len++
	if len(c.keys) > maxChunk {
		e.split(ci)
	}
}

// split halves a full chunk. A chunk filled from its end, as sorted input does, is left nearly full instead.
func (e *tableEdit[K, V]) split(ci int) {
	c := e.chunks[ci]
	at := len(c.keys) / 2
	if ci == len(e.chunks)-1 {
		at = len(c.keys) - 1
	}
	right := &chunk[K, V]{owner: e.token, keys: slices.Clone(c.keys[at:]), vals: slices.Clone(c.vals[at:])}
	clear(c.keys[at:])
	clear(c.vals[at:])
	c.keys, c.vals = c.keys[:at], c.vals[:at]
	e.chunks = slices.Insert(e.chunks, ci+1, right)
}

func (e *tableEdit[K, V]) delete(k K) {
	ci, i, found := locate(e.list(), k)
	if !found {
		return
	}
	c := e.own(ci)
	c.keys = slices.Delete(c.keys, i, i+1)
	c.vals = slices.Delete(c.vals, i, i+1)
	e.len--
	switch {
	case len(c.keys) == 0:
		e.chunks = slices.Delete(e.chunks, ci, ci+1)
	case ci+1 < len(e.chunks) && len(c.keys)+len(e.chunks[ci+1].keys) <= maxChunk/2:
		next := e.chunks[ci+1]
		c.keys = append(c.keys, next.keys...)
		c.vals = append(c.vals, next.vals...)
		e.chunks = slices.Delete(e.chunks, ci+1, ci+2)
	}
}

func (e *tableEdit[K, V]) done() table[K, V] {
	return table[K, V]{chunks: e.list(), len: e.len}
}

// diff reports the entries that differ between two tables, in key order. Chunks that both share are skipped whole.
func diff[K ordered[K], V comparable](old, new *table[K, V], changed func(k K, before, after V)) {
	a, b := cursor[K, V]{chunks: old.chunks}, cursor[K, V]{chunks: new.chunks}
	var none V
	for !a.end() || !b.end() {
		if a.i == 0 && b.i == 0 && !a.end() && !b.end() && a.chunks[a.ci] == b.chunks[b.ci] {
			a.ci++
			b.ci++
			continue
		}
		order := 0
		switch {
		case a.end():
			order = 1
		case b.end():
			order = -1
		default:
			order = a.key().compare(b.key())
		}
		switch {
		case order < 0:
			changed(a.key(), a.val(), none)
			a.next()
		case order > 0:
			changed(b.key(), none, b.val())
			b.next()
		default:
			if a.val() != b.val() {
				changed(a.key(), a.val(), b.val())
			}
			a.next()
			b.next()
		}
	}
}

type cursor[K ordered[K], V any] struct {
	chunks []*chunk[K, V]
	ci, i  int
}

func (c *cursor[K, V]) end() bool { return c.ci == len(c.chunks) }
func (c *cursor[K, V]) key() K    { return c.chunks[c.ci].keys[c.i] }
func (c *cursor[K, V]) val() V    { return c.chunks[c.ci].vals[c.i] }
func (c *cursor[K, V]) next() {
	if c.i++; c.i == len(c.chunks[c.ci].keys) {
		c.ci, c.i = c.ci+1, 0
	}
}
