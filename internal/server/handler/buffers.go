package handler

import (
	"math/bits"
	"sync"
)

// Buffers lends byte buffers by power-of-two class, so that a steady load touches the same memory again and again
// instead of taking, zeroing and faulting in new pages. Safe for concurrent use; the zero value is ready.
type Buffers struct {
	classes [maxClass - minClass + 1]sync.Pool
}

const (
	minClass = 9  // 512 B
	maxClass = 27 // 128 MiB; larger buffers are not kept
)

// Buffer is a lent buffer: B has the asked length, and may be re-sliced within its capacity.
type Buffer struct {
	B     []byte
	class int8 // index into classes, or -1
}

// Get lends a buffer of length n. Its bytes are whatever they were.
func (p *Buffers) Get(n int) *Buffer {
	class := max(bits.Len(uint(max(n, 1)-1)), minClass)
	if class > maxClass {
		return &Buffer{B: make([]byte, n), class: -1}
	}
	if b, ok := p.classes[class-minClass].Get().(*Buffer); ok {
		b.B = b.B[:n]
		return b
	}
	return &Buffer{B: make([]byte, 1<<class)[:n], class: int8(class - minClass)}
}

// Put takes a lent buffer back. The caller keeps no part of it. A nil buffer is ignored.
func (p *Buffers) Put(b *Buffer) {
	if b == nil || b.class < 0 || cap(b.B) != 1<<(int(b.class)+minClass) {
		return // outgrown by append: its class is no longer true
	}
	b.B = b.B[:0]
	p.classes[b.class].Put(b)
}
