package wire

import (
	"bytes"
	"math"
)

// field is one field of a request as it lies on the wire: what must be known to walk over it without decoding it. A kmsg decoder makes
// room for as many elements as a count claims before it reads the first, spins once for every tagged field a count claims, and takes
// null where Kafka does not; so a body is walked first, and decoded only if it is whole.
type field struct {
	kind     kind
	bytes    int // of a fixed field or of an element of a list of fixed values
	nullable bool
	from, to int16 // the versions that have it, both included
	fields   []field
}

type kind uint8

const (
	fixed     kind = iota
	text           // a string
	listOf         // an array of structures
	listFixed      // an array of fixed values
	listText       // an array of strings
	bytesOf        // bytes
	optional       // a structure or null
)

func value(bytes int) field { return field{kind: fixed, bytes: bytes, to: math.MaxInt16} }

var (
	i8, i16, i32, i64, id128 = value(1), value(2), value(4), value(8), value(16)
	str                      = field{kind: text, to: math.MaxInt16}
	strs                     = field{kind: listText, to: math.MaxInt16}
	blob                     = field{kind: bytesOf, to: math.MaxInt16}
)

func list(fields ...field) field {
	return field{kind: listOf, to: math.MaxInt16, fields: fields}
}

func values(element field) field {
	return field{kind: listFixed, bytes: element.bytes, to: math.MaxInt16}
}

func maybe(fields ...field) field {
	return field{kind: optional, nullable: true, to: math.MaxInt16, fields: fields}
}

func null(f field) field { f.nullable = true; return f }

func from(version int16, f field) field { f.from = version; return f }

func only(first, last int16, f field) field { f.from, f.to = first, last; return f }

func (f *field) in(version int16) bool { return f.from <= version && version <= f.to }

// walker walks over one body.
type walker struct {
	reader
	version int16

	// Tagged fields nobody knows are left out of what is decoded: kept ends where copying is to go on, out is the body without
	// them, nil as long as there were none.
	body []byte
	kept int
	out  []byte

	counted int  // bytes that elements of arrays take at least, all together
	blobs   bool // some field is bytes, which kmsg does not copy
}

// maxCounted bounds walker.counted. An element takes many times its bytes once it is decoded; text and bytes do not, and may be the
// rest of a larger frame.
const maxCounted = defaultFrameCap

// whole proves that body holds all fields, each with room for what it claims, and returns it without tagged fields and without the
// bytes behind it; a copy where a decoded request would alias it.
func whole(fields []field, version int16, flexible bool, body []byte) ([]byte, error) {
	w := walker{reader: reader{buf: body, flexible: flexible}, version: version, body: body}
	w.structure(fields)
	if w.err != nil {
		return nil, w.err
	}
	end := w.position()
	switch {
	case w.out == nil && w.blobs:
		return bytes.Clone(body[:end]), nil
	case w.out == nil:
		return body[:end:end], nil
	}
	return append(w.out, body[w.kept:end]...), nil
}

func (w *walker) position() int { return len(w.body) - len(w.buf) }

func (w *walker) structure(fields []field) {
	for i := range fields {
		if f := &fields[i]; f.in(w.version) {
			w.field(f)
		}
	}
	if !w.flexible || w.err != nil {
		return
	}
	start := w.position()
	if w.tags(); w.err == nil && w.position() > start+1 {
		if w.out == nil {
			w.out = make([]byte, 0, len(w.body))
		}
		w.out = append(append(w.out, w.body[w.kept:start]...), 0)
		w.kept = w.position()
	}
}

func (w *walker) field(f *field) {
	switch f.kind {
	case fixed:
		w.take(f.bytes)
	case text:
		w.text(f.nullable)
	case optional:
		// One byte tells a structure from null.
		if w.int8() >= 0 {
			w.structure(f.fields)
		}
	case bytesOf:
		if w.nullableBytes() == nil {
			w.fail(ErrNull)
		}
		w.blobs = true
	case listFixed:
		w.take(w.elements(f) * f.bytes)
	case listText:
		for n := w.elements(f); n > 0; n-- {
			w.text(false)
		}
	case listOf:
		for n := w.elements(f); n > 0; n-- {
			w.structure(f.fields)
		}
	}
}

func (w *walker) text(nullable bool) {
	if nullable {
		w.nullableString()
	} else {
		w.string()
	}
}

// elements reads the count of an array and holds it against the bytes that remain.
func (w *walker) elements(f *field) int {
	n := w.size(true)
	switch {
	case n < 0 && f.nullable:
		return 0
	case n < 0:
		w.fail(ErrNull)
		return 0
	case n > len(w.buf)/w.elementBytes(f):
		w.fail(ErrCount)
		return 0
	}
	if w.counted += n * w.elementBytes(f); w.counted > maxCounted {
		w.fail(ErrTooMany)
		return 0
	}
	return n
}

// elementBytes are the fewest bytes an element of an array takes.
func (w *walker) elementBytes(f *field) int {
	switch f.kind {
	case listFixed:
		return f.bytes
	case listText:
		return fewest(str, w.version, w.flexible)
	default:
		return fewestOf(f.fields, w.version, w.flexible)
	}
}

func fewestOf(fields []field, version int16, flexible bool) int {
	n := 0
	for _, f := range fields {
		if f.in(version) {
			n += fewest(f, version, flexible)
		}
	}
	if flexible {
		n++ // the count of tagged fields
	}
	return n
}

func fewest(f field, version int16, flexible bool) int {
	switch {
	case f.kind == fixed:
		return f.bytes
	case f.kind == optional || flexible:
		return 1
	case f.kind == text:
		return 2
	default:
		return 4
	}
}
