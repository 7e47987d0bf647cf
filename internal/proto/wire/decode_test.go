package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

// forEachVersion runs fn for every version of every API that Decode reads.
func forEachVersion(t *testing.T, fn func(t *testing.T, api *API, version int16)) {
	for _, api := range APIs() {
		if api.fields == nil {
			continue
		}
		t.Run(api.Name, func(t *testing.T) {
			for v := api.Min; v <= api.Max; v++ {
				fn(t, &api, v)
			}
		})
	}
}

// TestDecodeReadsWhatKmsgWrites also proves that our description of each request has every field: a missing one would leave bytes over.
func TestDecodeReadsWhatKmsgWrites(t *testing.T) {
	forEachVersion(t, func(t *testing.T, api *API, version int16) {
		f := newFiller(uint64(version))
		for range 200 {
			body := f.request(api.Key, version).AppendTo(nil)
			rest, err := whole(api.fields, version, api.Flexible(version), body)
			if errors.Is(err, ErrNull) {
				continue // a pointer the filler left nil where this version has no null
			}
			if err != nil {
				t.Fatalf("version %d: %v\n%x", version, err, body)
			}
			if !bytes.Equal(rest, body) {
				t.Fatalf("version %d: walked over %d of %d bytes", version, len(rest), len(body))
			}
			got, err := Decode(api, version, body)
			if err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			if again := got.AppendTo(nil); !bytes.Equal(again, body) {
				t.Fatalf("version %d: decoded differently\n got %x\nwant %x", version, again, body)
			}
		}
	})
}

func TestDecodeIgnoresUnknownTags(t *testing.T) {
	forEachVersion(t, func(t *testing.T, api *API, version int16) {
		if !api.Flexible(version) {
			return
		}
		f := newFiller(uint64(version))
		f.nulls, f.tags = false, true
		for range 100 {
			req := f.request(api.Key, version)
			got, err := Decode(api, version, append(req.AppendTo(nil), "bytes behind"...))
			if err != nil {
				t.Fatalf("version %d: %v", version, err)
			}
			stripTags(reflect.ValueOf(req))
			if got, want := got.AppendTo(nil), req.AppendTo(nil); !bytes.Equal(got, want) {
				t.Fatalf("version %d:\n got %x\nwant %x", version, got, want)
			}
		}
	})
}

func TestDecodeCutAtEveryByte(t *testing.T) {
	forEachVersion(t, func(t *testing.T, api *API, version int16) {
		f := newFiller(7)
		f.nulls = false
		body := f.request(api.Key, version).AppendTo(nil)
		for n := range body {
			if _, err := Decode(api, version, body[:n]); err == nil {
				t.Fatalf("version %d: %d of %d bytes were taken for a whole request", version, n, len(body))
			}
		}
	})
}
