package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// frame is a request as a client sends it, without the length prefix.
func frame(req kmsg.Request) []byte {
	return kmsg.NewRequestFormatter(kmsg.FormatterClientID("client")).AppendRequest(nil, req, 7)[4:]
}

func TestHeaderOfEveryVersion(t *testing.T) {
	for _, api := range APIs() {
		for version := api.Min; version <= api.Max; version++ {
			req := kmsg.RequestForKey(api.Key)
			req.SetVersion(version)
			h, body, err := ParseHeader(frame(req))
			if err != nil {
				t.Fatalf("%s version %d: %v", api.Name, version, err)
			}
			if h.Key != api.Key || h.Version != version || h.Correlation != 7 || string(h.ClientID) != "client" {
				t.Fatalf("%s version %d: %+v", api.Name, version, h)
			}
			if want := req.AppendTo(nil); !bytes.Equal(body, want) {
				t.Fatalf("%s version %d: body %x, want %x", api.Name, version, body, want)
			}
			wantLen := 4
			if req.IsFlexible() && api.Key != KeyApiVersions {
				wantLen = 5
			}
			if got := AppendResponseHeader(nil, api.Key, version, 7); len(got) != wantLen {
				t.Fatalf("%s version %d: a response header of %d bytes, want %d", api.Name, version, len(got), wantLen)
			}
		}
	}
}

func TestHeaderBadInput(t *testing.T) {
	for _, c := range []struct {
		name, frame string
		want        error
		header      Header // as far as it can be known
	}{
		{"empty", "", ErrShort, Header{}},
		{"unknown API", "\x03\xe7\x00\x00\x00\x00\x00\x09\x00\x00", ErrUnknownAPI, Header{Key: 999, Correlation: 9}},
		{"negative API", "\xff\xff\x00\x00\x00\x00\x00\x09\x00\x00", ErrUnknownAPI, Header{Key: -1, Correlation: 9}},
		{"version too new", "\x00\x03\x00\x63\x00\x00\x00\x09\x00\x00", ErrUnsupportedVersion, Header{Key: 3, Version: 99, Correlation: 9}},
		{"version too old", "\x00\x01\x00\x03\x00\x00\x00\x09\x00\x00", ErrUnsupportedVersion, Header{Key: 1, Version: 3, Correlation: 9}},
		{"negative version", "\x00\x03\xff\xff\x00\x00\x00\x09\x00\x00", ErrUnsupportedVersion, Header{Key: 3, Version: -1, Correlation: 9}},
		{"ApiVersions too new", "\x00\x12\x00\x63\x00\x00\x00\x09nonsense", ErrUnsupportedVersion, Header{Key: 18, Version: 99, Correlation: 9}},
		{"client id beyond the frame", "\x00\x03\x00\x00\x00\x00\x00\x09\x00\x05abcd", ErrCount, Header{Key: 3, Correlation: 9}},
		{
			"tagged field beyond the frame", "\x00\x03\x00\x0c\x00\x00\x00\x09\x00\x00\x01\x00\x05abcd", ErrCount,
			Header{Key: 3, Version: 12, Correlation: 9},
		},
		{
			"four billion tagged fields", "\x00\x03\x00\x0c\x00\x00\x00\x09\x00\x00\xff\xff\xff\xff\x0fabcd", ErrCount,
			Header{Key: 3, Version: 12, Correlation: 9},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, body, err := ParseHeader([]byte(c.frame))
			if !errors.Is(err, c.want) || body != nil {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			h.ClientID = nil
			if h.Key != c.header.Key || h.Version != c.header.Version || h.Correlation != c.header.Correlation {
				t.Fatalf("got %+v, want %+v", h, c.header)
			}
		})
	}
}

func TestHeaderCutAtEveryByte(t *testing.T) {
	for _, version := range []int16{0, 12} {
		req := kmsg.NewPtrMetadataRequest()
		req.Version = version
		whole := frame(req)
		end := len(whole) - len(req.AppendTo(nil))
		for n := range end {
			if _, _, err := ParseHeader(whole[:n]); err == nil {
				t.Fatalf("version %d: %d of %d bytes were taken for a header", version, n, end)
			}
		}
	}
}

func TestHeaderClientID(t *testing.T) {
	h, _, err := ParseHeader([]byte("\x00\x03\x00\x01\x00\x00\x00\x09\xff\xff"))
	if err != nil || h.ClientID != nil {
		t.Fatalf("null: %q, %v", h.ClientID, err)
	}
	h, _, err = ParseHeader([]byte("\x00\x03\x00\x01\x00\x00\x00\x09\x00\x00"))
	if err != nil || h.ClientID == nil || len(h.ClientID) != 0 {
		t.Fatalf("empty: %q, %v", h.ClientID, err)
	}
	h, body, err := ParseHeader([]byte("\x00\x03\x00\x0c\x00\x00\x00\x09\x00\x02me\x02\x00\x01x\x05\x00body"))
	if err != nil || string(h.ClientID) != "me" || string(body) != "body" {
		t.Fatalf("with tagged fields: %+v, %q, %v", h, body, err)
	}
}

func FuzzHeader(f *testing.F) {
	for _, api := range APIs() {
		for _, version := range []int16{api.Min, api.Max} {
			req := kmsg.RequestForKey(api.Key)
			req.SetVersion(version)
			f.Add(frame(req))
		}
	}
	f.Add([]byte("\x00\x12\x00\x63\x00\x00\x00\x09nonsense"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		h, body, err := ParseHeader(frame)
		if err != nil {
			for _, reason := range []error{ErrShort, ErrCount, ErrVarint, ErrUnknownAPI, ErrUnsupportedVersion} {
				if errors.Is(err, reason) {
					return
				}
			}
			t.Fatalf("an error without a reason: %v", err)
		}
		api, ok := Lookup(h.Key)
		if !ok || h.Version < api.Min || h.Version > api.Max {
			t.Fatalf("%+v is not served", h)
		}
		if len(h.ClientID)+len(body) > len(frame) || !bytes.HasSuffix(frame, body) {
			t.Fatalf("%+v and body %x of frame %x", h, body, frame)
		}
		if n := testing.AllocsPerRun(1, func() { _, _, _ = ParseHeader(frame) }); n != 0 {
			t.Fatalf("%v allocations", n)
		}
	})
}
