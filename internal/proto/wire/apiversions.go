package wire

// Features are what the cluster can do and what is switched on, as ApiVersions tells it from version 3.
type Features struct {
	Supported      []FeatureRange
	FinalizedEpoch int64 // -1 if unknown
	Finalized      []FeatureLevel
}

// FeatureRange is a feature with the levels this broker supports.
type FeatureRange struct {
	Name     string
	Min, Max int16
}

// FeatureLevel is a feature with the level the cluster has agreed on. Level 0 is off.
type FeatureLevel struct {
	Name  string
	Level int16
}

// AppendApiVersionsResponse appends the body of an answer to ApiVersions. A version this broker does not have is answered in version 0.
// With None the answer holds the whole table; with UnsupportedVersion only the versions of ApiVersions itself, so that the client can
// ask again in one of them; with any other code nothing, as Apache Kafka does.
func AppendApiVersionsResponse(dst []byte, version int16, code Code, features Features) []byte {
	own, _ := Lookup(KeyApiVersions)
	if version < own.Min || version > own.Max {
		version = 0
	}
	w := writer{buf: dst, flexible: version >= 3}
	w.int16(int16(code))
	switch code {
	case None:
		w.apis(table)
	case UnsupportedVersion:
		w.apis([]API{*own})
	default:
		w.apis(nil)
	}
	if version >= 1 {
		w.int32(0) // throttle time
	}
	if version >= 3 {
		w.features(version, features)
	}
	return w.buf
}

func (w *writer) apis(apis []API) {
	w.size(len(apis))
	for i := range apis {
		w.int16(apis[i].Key)
		w.int16(apis[i].Min)
		w.int16(apis[i].Max)
		w.noTags()
	}
}

// features writes the tagged fields 0 to 2, each where it says something.
func (w *writer) features(version int16, f Features) {
	var supported, finalized writer
	supported.flexible, finalized.flexible = true, true
	n := 0
	for _, s := range f.Supported {
		if s.Min == 0 && version < 4 {
			continue // older Java clients fail on a range that starts with 0 (KAFKA-17492)
		}
		appendString(&supported, s.Name)
		supported.int16(s.Min)
		supported.int16(s.Max)
		supported.noTags()
		n++
	}
	m := 0
	for _, l := range f.Finalized {
		if l.Level == 0 {
			continue
		}
		appendString(&finalized, l.Name)
		finalized.int16(l.Level) // the highest level agreed on
		finalized.int16(l.Level) // and the lowest
		finalized.noTags()
		m++
	}
	known := f.FinalizedEpoch != -1
	w.uvarint(one(n > 0) + one(known) + one(m > 0))
	if n > 0 {
		w.listTag(0, n, supported.buf)
	}
	if known {
		w.uvarint(1)
		w.uvarint(8)
		w.int64(f.FinalizedEpoch)
	}
	if m > 0 {
		w.listTag(2, m, finalized.buf)
	}
}

// listTag writes a tagged field that holds an array of n encoded elements.
func (w *writer) listTag(number uint32, n int, elements []byte) {
	w.uvarint(number)
	w.uvarint(uint32(uvarintSize(uint32(n+1)) + len(elements)))
	w.uvarint(uint32(n + 1))
	w.buf = append(w.buf, elements...)
}

// ValidSoftware reports whether a client's name or version in ApiVersions is one Apache Kafka takes: letters, digits, dots and hyphens,
// starting and ending with a letter or digit. Others are answered with InvalidRequest.
func ValidSoftware(name string) bool {
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		inner := (c == '.' || c == '-') && i > 0 && i < len(name)-1
		if !letter && !inner {
			return false
		}
	}
	return name != ""
}
