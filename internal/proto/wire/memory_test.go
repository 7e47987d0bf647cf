package wire

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// hostile builds bodies that make a decoder allocate as much as it can: as many of the smallest elements as fit.
type hostile struct {
	writer
	version int16
	depth   int    // how many arrays from the outside hold a single element; the next one is filled, those inside it hold inner
	bytes   int    // aimed at
	inner   int    // elements of the arrays inside the filled one
	text    string // content of every string
	null    bool   // nullable strings are null
}

func (h *hostile) structure(fields []field, level int) {
	for i := range fields {
		if f := &fields[i]; f.in(h.version) {
			h.field(f, level)
		}
	}
	h.noTags()
}

func (h *hostile) field(f *field, level int) {
	switch f.kind {
	case fixed:
		h.buf = append(h.buf, make([]byte, f.bytes)...)
	case text:
		h.string(f.nullable)
	case bytesOf:
		h.size(len(h.text))
		h.buf = append(h.buf, h.text...)
	case optional:
		h.int8(1)
		h.structure(f.fields, level)
	default:
		h.array(f, level)
	}
}

func (h *hostile) string(nullable bool) {
	if nullable && h.null {
		h.stringSize(-1)
	} else {
		appendString(&h.writer, h.text)
	}
}

func (h *hostile) array(f *field, level int) {
	element := func(w *hostile) {
		switch f.kind {
		case listFixed:
			w.buf = append(w.buf, make([]byte, f.bytes)...)
		case listText:
			w.string(false)
		default:
			w.structure(f.fields, level+1)
		}
	}
	n := 1
	switch {
	case level == h.depth:
		one := *h
		one.buf = nil
		element(&one)
		n = max(1, (h.bytes-len(h.buf))/len(one.buf))
	case level > h.depth:
		n = h.inner
	}
	h.size(n)
	for range n {
		element(h)
	}
}

// hostileBodies returns the bodies of one version, each about so many bytes long.
func hostileBodies(api *API, version int16, bytes int) (bodies [][]byte) {
	for depth := range 3 {
		for inner := range 3 {
			for _, text := range []string{"", "t", "nine char", strings.Repeat("x", 5000)} {
				for _, null := range []bool{false, true} {
					h := hostile{version: version, depth: depth, bytes: bytes, inner: inner, text: text, null: null}
					h.flexible = api.Flexible(version)
					h.structure(api.fields, 0)
					bodies = append(bodies, h.buf)
				}
			}
		}
	}
	return bodies
}

// allocated returns how many bytes fn allocates.
func allocated(fn func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// TestMemoryFactor measures the worst request of every API against its row, which must neither promise too little nor charge honest
// requests for much more than anyone can make of them.
func TestMemoryFactor(t *testing.T) {
	const (
		size      = 16 << 10
		structure = 512 // what a request takes however short it is
	)
	for _, api := range APIs() {
		if api.fields == nil {
			continue
		}
		worst := 0.0
		for version := api.Min; version <= api.Max; version++ {
			for _, body := range hostileBodies(&api, version, size) {
				var err error
				bytes := allocated(func() { _, err = Decode(&api, version, body) })
				if err != nil {
					t.Fatalf("%s version %d: %v", api.Name, version, err)
				}
				worst = max(worst, float64(bytes-structure)/float64(max(1, len(body))))
			}
		}
		t.Logf("%-24s %5.1f", api.Name, worst)
		worst += 2            // the frame, and a copy of it where unknown tagged fields are left out
		const rounding = 0.25 // of the allocator; DecodeOverhead has room for it
		if factor := float64(api.MemoryFactor); worst > factor+rounding || factor > worst+2 {
			t.Errorf("%s: a request can take %.1f times its length, its MemoryFactor is %d", api.Name, worst, api.MemoryFactor)
		}
	}
}

// TestHostileCounts: counts that claim more than is there make nobody allocate or loop.
func TestHostileCounts(t *testing.T) {
	forEachVersion(t, func(t *testing.T, api *API, version int16) {
		f := newFiller(3)
		f.nulls = false
		body := f.request(api.Key, version).AppendTo(nil)
		huge := []byte{0x7f, 0xff, 0xff, 0xff, 0x0f}
		if api.Flexible(version) {
			huge[0] = 0xff
		}
		for at := range body {
			lie := append(append([]byte(nil), body[:at]...), huge...)
			bytes := allocated(func() { _, _ = Decode(api, version, lie) })
			if bytes > api.MemoryFactor*len(lie)+DecodeOverhead {
				t.Fatalf("version %d: %d bytes allocated %d\n%x", version, len(lie), bytes, lie)
			}
		}
	})
}

// produceWorst is how many times its length a Produce request can allocate, its answer included: more than it is charged.
const produceWorst = 5

// TestViewMemory: frames made of nothing but the smallest elements, for Produce with its answer.
func TestViewMemory(t *testing.T) {
	fetch, _ := Lookup(KeyFetch)
	for _, shape := range []struct{ topics, partitions, bytes int }{{10_000, 0, 0}, {10_000, 1, 61}, {1, 10_000, 61}, {100, 100, 61}, {5000, 2, 0}} {
		var p Produce
		var f Fetch
		for i := range shape.topics {
			id := [16]byte{byte(i), byte(i >> 8)}
			p.Topics = append(p.Topics, ProduceTopic{ID: id, Partitions: make([]ProducePartition, shape.partitions)})
			for j := range p.Topics[i].Partitions {
				p.Topics[i].Partitions[j].Records = make([]byte, shape.bytes)
			}
			f.Topics = append(f.Topics, FetchTopic{ID: id, Partitions: make([]FetchPartition, shape.partitions)})
			f.Forgotten = append(f.Forgotten, ForgottenTopic{ID: id, Partitions: make([]int32, shape.partitions)})
		}
		for version := int16(4); version <= 18; version++ {
			body := f.kmsg(version).AppendTo(nil)
			var view Fetch
			if bytes := allocated(func() { _ = view.Parse(version, body) }); bytes > (fetch.MemoryFactor-1)*len(body)+DecodeOverhead {
				t.Errorf("Fetch version %d, %+v: %d bytes allocate %d", version, shape, len(body), bytes)
			}
		}
		for version := int16(0); version <= 13; version++ {
			body := p.kmsg(version).AppendTo(nil)
			var view Produce
			var r ProduceResponse
			bytes := allocated(func() {
				if view.Parse(version, body) == nil {
					r.Mirror(&view)
				}
			})
			if bytes > produceWorst*len(body)+DecodeOverhead || view.Memory() > produceWorst*len(body)+DecodeOverhead {
				t.Errorf("Produce version %d, %+v: %d bytes allocate %d", version, shape, len(body), bytes)
			}
		}
	}
}

// TestMemoryOfWideFrames: above 1 MiB a frame is text and bytes, or it is refused; either way it takes no more than
// [API.Memory] says.
func TestMemoryOfWideFrames(t *testing.T) {
	const size = 5 << 18
	for _, api := range APIs() {
		if api.FrameCap <= defaultFrameCap {
			continue
		}
		for _, version := range []int16{api.Min, api.Max} {
			refused, asked := 0, 0
			for depth, text := range map[int]string{0: "", 1: "", 2: strings.Repeat("x", 5000)} { // order-free
				h := hostile{version: version, depth: min(depth, 1), bytes: size, inner: 1, text: text}
				h.flexible = api.Flexible(version)
				h.structure(api.fields, 0)
				body := h.buf
				asked++
				var err error
				bytes := allocated(func() { _, err = Decode(&api, version, body) })
				if most := int(api.Memory(len(body))) - len(body) + DecodeOverhead; bytes > most {
					t.Fatalf("%s version %d: %d bytes allocate %d, charged are %d (%v)", api.Name, version, len(body), bytes, most, err)
				}
				if errors.Is(err, ErrTooMany) {
					refused++
				} else if err != nil {
					t.Fatalf("%s version %d: %v", api.Name, version, err)
				}
			}
			if refused == 0 || refused == asked {
				t.Errorf("%s version %d: %d of %d bodies were refused", api.Name, version, refused, asked)
			}
		}
	}
}
