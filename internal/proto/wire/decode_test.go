package wire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
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

func TestDecodeBadInput(t *testing.T) {
	for _, c := range []struct {
		name         string
		key, version int16
		body         string
		want         error
	}{
		{"CreateTopics without topics", 19, 5, "\x00\x00\x00\x00\x00\x00\x00", ErrNull},
		{"CreateTopics, topic without name", 19, 2, "\x00\x00\x00\x01\xff\xff" + string(make([]byte, 20)), ErrNull},
		{"CreateTopics, two billion topics", 19, 2, "\x7f\xff\xff\xff" + string(make([]byte, 20)), ErrCount},
		{"CreateTopics, a topic for each byte", 19, 2, "\x00\x00\x00\x14" + string(make([]byte, 20)), ErrCount},
		{"CreateTopics, four billion tagged fields", 19, 7, "\x01\x00\x00\x00\x00\x00\xff\xff\xff\xff\x0f" + "abcd", ErrCount},
		{"Metadata version 0 of null", 3, 0, "\xff\xff\xff\xff", ErrNull},
		{"Metadata with a topic of null name and no id", 3, 9, "\x02\x00\x00\x01\x00\x00\x00", ErrNull},
		{"DescribeTopicPartitions, cut cursor", 75, 0, "\x01\x00\x00\x00\x00\x01\x05", ErrCount},
		{"a version of Produce", 0, 14, "", ErrUnsupportedVersion},
	} {
		t.Run(c.name, func(t *testing.T) {
			api, _ := Lookup(c.key)
			if _, err := Decode(api, c.version, []byte(c.body)); !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
	for version, want := range map[int16]string{1: "\xff\xff\xff\xff", 9: "\x00\x00\x00\x00\x00"} {
		api, _ := Lookup(3)
		req, err := Decode(api, version, []byte(want))
		if err != nil || req.(*kmsg.MetadataRequest).Topics != nil {
			t.Fatalf("Metadata version %d of all topics: %v", version, err)
		}
	}
	produce, _ := Lookup(KeyProduce)
	if _, err := Decode(produce, 9, sampleProduce(9)); err == nil {
		t.Fatal("Decode reads Produce")
	}
}

// TestDecodeReturnsPanics: whatever breaks below Decode becomes an error that the caller can count.
func TestDecodeReturnsPanics(t *testing.T) {
	broken := &API{Key: 9999, Name: "Broken", Max: 1, fields: []field{i8}} // kmsg has no such request
	if _, err := Decode(broken, 0, []byte{1, 0}); !errors.Is(err, ErrPanic) {
		t.Fatalf("got %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	apis := APIs()
	for i, api := range apis {
		if api.fields == nil {
			continue
		}
		for version := api.Min; version <= api.Max; version++ {
			fill := newFiller(uint64(version))
			f.Add(uint8(i), uint8(version-api.Min), fill.request(api.Key, version).AppendTo(nil))
			fill.nulls, fill.tags = false, true
			f.Add(uint8(i), uint8(version-api.Min), fill.request(api.Key, version).AppendTo(nil))
		}
		seeds(f, api.Key, func(version int16, body []byte) { f.Add(uint8(i), uint8(version-api.Min), body) })
	}
	f.Fuzz(func(t *testing.T, index, offset uint8, body []byte) {
		api := &apis[int(index)%len(apis)]
		if api.fields == nil {
			return
		}
		version := api.Min + int16(offset)%(api.Max-api.Min+1)
		var req kmsg.Request
		var err error
		bytes := allocated(func() { req, err = Decode(api, version, body) })
		if bound := api.MemoryFactor*len(body) + DecodeOverhead; bytes > bound {
			t.Fatalf("%s version %d: %d bytes allocate %d", api.Name, version, len(body), bytes)
		}
		if errors.Is(err, ErrPanic) {
			t.Fatal(err)
		}
		if err != nil {
			return
		}
		again := req.AppendTo(nil)
		if _, err := Decode(api, version, again); err != nil {
			t.Fatalf("%s version %d is not read again: %v\n%x\n%x", api.Name, version, err, body, again)
		}
	})
}

// TestDecodeKeepsNothingOfTheFrame: frames are reused while a request may still be worked on.
func TestDecodeKeepsNothingOfTheFrame(t *testing.T) {
	forEachVersion(t, func(t *testing.T, api *API, version int16) {
		f := newFiller(uint64(version))
		f.nulls = false
		body := f.request(api.Key, version).AppendTo(nil)
		req, err := Decode(api, version, body)
		if err != nil {
			t.Fatal(err)
		}
		before := req.AppendTo(nil)
		for i := range body {
			body[i] = 0xee
		}
		if !bytes.Equal(req.AppendTo(nil), before) {
			t.Fatalf("version %d changed with its frame", version)
		}
	})
}
