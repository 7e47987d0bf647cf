package wire

import "testing"

// TestHeadersAllocateNothing: every request has one.
func TestHeadersAllocateNothing(t *testing.T) {
	api, _ := Lookup(KeyProduce)
	request := headed(api.Key, 11, sampleProduce(11))
	dst := make([]byte, 0, 16)
	n := testing.AllocsPerRun(100, func() {
		h, _, err := ParseHeader(request)
		if err != nil {
			t.Fatal(err)
		}
		dst = AppendResponseHeader(dst[:0], h.Key, h.Version, h.Correlation)
	})
	if n != 0 {
		t.Fatalf("%v allocations a header", n)
	}
}

// headed puts a request header of a flexible version before a body.
func headed(key, version int16, body []byte) []byte {
	header := []byte{0, byte(key), 0, byte(version), 0, 0, 0, 1, 0, 2, 'm', 'e', 0}
	return append(header, body...)
}

func BenchmarkProduce(b *testing.B) {
	request := headed(KeyProduce, 11, sampleProduce(11))
	var p Produce
	var r ProduceResponse
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		h, body, _ := ParseHeader(request)
		if p.Parse(h.Version, body) != nil {
			b.Fatal("refused")
		}
		r.Mirror(&p)
		dst = r.Append(AppendResponseHeader(dst[:0], h.Key, h.Version, h.Correlation), h.Version)
	}
}

func BenchmarkFetch(b *testing.B) {
	request := headed(KeyFetch, 17, sampleFetch(17))
	var f Fetch
	b.ReportAllocs()
	for b.Loop() {
		h, body, _ := ParseHeader(request)
		if f.Parse(h.Version, body) != nil {
			b.Fatal("refused")
		}
	}
}
