package crash

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"testing"
)

var ledgerFile = flag.String("crash.ledger", "", "a file that keeps what was counted: a later TestCrash goes on from there, with other seeds")

// tally is what was counted of one workload. Rounds are its seeds: the next run begins with the next.
type tally struct {
	Rounds        uint64
	Images        int64
	Moments       int
	Syncs, SyncFS int
}

// ledger is the tally of each workload. A million images take longer than one wants to wait for in one piece.
type ledger map[string]tally

func readLedger(t *testing.T) ledger {
	l := ledger{}
	if *ledgerFile == "" {
		return l
	}
	p, err := os.ReadFile(*ledgerFile)
	if err == nil {
		err = json.Unmarshal(p, &l)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return l
}

func (l ledger) write(t *testing.T) {
	if *ledgerFile == "" {
		return
	}
	p, err := json.MarshalIndent(l, "", "\t")
	if err == nil {
		err = os.WriteFile(*ledgerFile+".tmp", p, 0o644)
	}
	if err == nil {
		err = os.Rename(*ledgerFile+".tmp", *ledgerFile)
	}
	if err != nil {
		t.Fatal(err)
	}
}
