package wire

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestCodesAgainstKafka holds the codes against a list printed by the Java client 4.3.1: number, name, whether it is a
// RetriableException.
func TestCodesAgainstKafka(t *testing.T) {
	list, err := os.ReadFile("testdata/kafka-4.3.1-errors.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(list)), "\n")
	if len(lines) != len(codeTable) {
		t.Fatalf("%d codes, Kafka has %d", len(codeTable), len(lines))
	}
	for i, want := range lines {
		c := lowestCode + Code(i)
		if got := fmt.Sprint(int16(c), " ", c, " ", c.Retriable()); got != want {
			t.Errorf("%s, Kafka has %s", got, want)
		}
	}
}

// TestCodesAgainstKerr names where franz-go and the Java client differ.
func TestCodesAgainstKerr(t *testing.T) {
	differ := map[Code]string{
		NotLeaderOrFollower:      "NOT_LEADER_FOR_PARTITION true",
		BrokerNotAvailable:       "BROKER_NOT_AVAILABLE true",
		ConcurrentTransactions:   "CONCURRENT_TRANSACTIONS false",
		ShareSessionNotFound:     "SHARE_SESSION_NOT_FOUND false",
		InvalidShareSessionEpoch: "INVALID_SHARE_SESSION_EPOCH false",
		ShareSessionLimitReached: "",
	}
	for i := range codeTable {
		c := lowestCode + Code(i)
		if c == None {
			continue
		}
		want, ok := differ[c]
		if !ok {
			want = fmt.Sprint(c, " ", c.Retriable())
		}
		theirs := kerr.TypedErrorForCode(int16(c))
		if got := fmt.Sprint(theirs.Message, " ", theirs.Retriable); want != "" && got != want {
			t.Errorf("%s: kerr has %s", want, got)
		}
	}
}

func TestUnknownCode(t *testing.T) {
	c := Code(len(codeTable))
	if c.Known() || c.Retriable() || c.String() != fmt.Sprintf("ERROR_%d", c) || Code(-2).Known() {
		t.Fatal(c)
	}
}
