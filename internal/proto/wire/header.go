package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Why a request was refused by its header. The server closes the connection on each of them, as Apache Kafka does, except for
// [ErrUnsupportedVersion] of ApiVersions, which is answered in version 0.
var (
	ErrUnknownAPI         = errors.New("unknown API key")
	ErrUnsupportedVersion = errors.New("unsupported version")
)

// Header is the header of a request.
type Header struct {
	Key         int16
	Version     int16
	Correlation int32
	ClientID    []byte // aliases the frame; nil is null
}

// ParseHeader splits a frame, given without its length prefix, into header and body. On an error the header is filled as far as it
// could be read: with [ErrUnsupportedVersion] of ApiVersions the correlation id is there. Errors wrap ErrUnknownAPI,
// ErrUnsupportedVersion or what is wrong with the bytes.
func ParseHeader(frame []byte) (h Header, body []byte, err error) {
	r := reader{buf: frame}
	h.Key, h.Version = r.int16(), r.int16()
	h.Correlation = r.int32()
	if r.err != nil {
		return h, nil, fmt.Errorf("request header: %w", r.err)
	}
	api, ok := Lookup(h.Key)
	if !ok {
		return h, nil, fmt.Errorf("%w %d", ErrUnknownAPI, h.Key)
	}
	if h.Version < api.Min || h.Version > api.Max {
		return h, nil, fmt.Errorf("%w %d of %s: this broker has %d to %d", ErrUnsupportedVersion, h.Version, api.Name, api.Min, api.Max)
	}
	h.ClientID = r.nullableString() // never in the compact form, whatever the header's version
	r.flexible = api.Flexible(h.Version)
	r.tags()
	if r.err != nil {
		return h, nil, fmt.Errorf("request header of %s version %d: %w", api.Name, h.Version, r.err)
	}
	return h, r.buf, nil
}

// AppendResponseHeader appends the header of a response. ApiVersions keeps the oldest form in every version, because a client reads
// that answer before it knows what the broker speaks. An API that is not in the table gets the oldest form, too.
func AppendResponseHeader(dst []byte, key, version int16, correlation int32) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	if api, ok := Lookup(key); ok && key != KeyApiVersions && api.Flexible(version) {
		dst = append(dst, 0) // no tagged fields
	}
	return dst
}
