package config

import "testing"

// A change of a broker's setting resolves every topic anew: 10,000 topics should take well under a tenth of a second.
func BenchmarkResolveTopic(b *testing.B) {
	v, _, err := Assemble([]Entry{{"log.retention.hours", "2", ""}, {"compression.type", "zstd", ""}})
	if err != nil {
		b.Fatal(err)
	}
	v = v.WithDynamic(map[string]string{"message.max.bytes": "5000"}, nil)
	overrides := map[string]string{"retention.ms": "1000", "segment.bytes": "2000000"}
	b.ReportAllocs()
	for b.Loop() {
		ResolveTopic(v, overrides)
	}
}

func BenchmarkGetter(b *testing.B) {
	v, _, err := Assemble([]Entry{{"log.retention.hours", "2", ""}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		v.Int64("log.retention.ms")
	}
}
