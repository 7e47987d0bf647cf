package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testdata/kafka-4.3.1/sample-0 was written by Apache Kafka 4.3.1: records with every codec and with nulls, a committed
// transaction and an aborted one across a roll, and a clean stop. sample-0.txt is what dump shows of it.
func TestDumpReadsApacheKafka(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "kafka-4.3.1", "sample-0.txt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join("testdata", "kafka-4.3.1"))
	r := holdfast(t, "", "", "dump", "sample-0", "--records").want(t, exitDone)
	if diff := cmp.Diff(string(want), r.out); diff != "" {
		t.Error(diff)
	}
}
