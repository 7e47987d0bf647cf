package cli

import (
	"strings"
	"testing"
)

// partitionsOf writes "leader|replicas|isr" for each partition: "1|1,2,3|1,2".
func partitionsOf(t *testing.T, text string) []partitionState {
	t.Helper()
	var list []partitionState
	for _, one := range strings.Fields(text) {
		f := strings.Split(one, "|")
		list = append(list, partitionState{Leader: ids(f[0])[0], Replicas: ids(f[1]), ISR: ids(f[2])})
	}
	return list
}

func ids(text string) []int32 {
	var list []int32
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		if s == "-" {
			list = append(list, -1)
			continue
		}
		list = append(list, int32(s[0]-'0'))
	}
	return list
}

func TestSurvival(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts string
		min   int
		sync  durability
		dirty bool // unclean elections
		want  string
	}{
		{"three of three", "1|1,2,3|1,2,3 2|2,3,1|2,3,1", 2, durabilitySynced, false, `
now: may lose any 1 of 3 brokers - loses nothing, stops nothing
now: any 2 - loses nothing; writes wait until one is back
now: any 3 - reads stop too; records are lost only if all 3 disks are gone
guaranteed: acks=all is answered once 2 replicas hold the record: losing any 1 of them loses nothing; it is synced to disk by then, so a power cut of all brokers loses nothing`},
		{"one lags", "1|1,2,3|1,2,3 2|2,3,1|2,3", 2, durabilitySynced, false, `
now: may lose no broker without stopping something
now: any 1 - loses nothing; writes wait until it is back
now: any 2 - reads stop too; records are lost only if all 2 disks are gone
guaranteed: acks=all is answered once 2 replicas hold the record: losing any 1 of them loses nothing; it is synced to disk by then, so a power cut of all brokers loses nothing
trouble: 1 of 2 partitions with a replica out of sync`},
		{"below the minimum", "1|1,2,3|1", 2, durabilityCached, false, `
now: acks=all is refused until enough replicas are in sync again; reads go on
now: any 1 - reads and writes of its partitions stop until it is back; if its disk is gone, so are the records
guaranteed: acks=all is answered once 2 replicas hold the record: losing any 1 of them loses nothing; it may be in memory only by then, so a power cut of all brokers may lose it
trouble: 1 of 1 partition below min.insync.replicas: acks=all is refused`},
		{"single broker", "1|1|1", 1, durabilitySynced, false, `
now: may lose no broker without stopping something
now: any 1 - reads and writes of its partitions stop until it is back; if its disk is gone, so are the records
guaranteed: acks=all may be answered with one replica holding the record: losing that disk may lose it; it is synced to disk by then, so a power cut of all brokers loses nothing`},
		{"minimum above the replicas", "1|1|1", 2, durabilityUnknown, false, `
now: may lose no broker without stopping something
now: any 1 - reads and writes of its partitions stop until it is back; if its disk is gone, so are the records
guaranteed: acks=all may be answered with one replica holding the record: losing that disk may lose it; whether it is synced to disk by then, the cluster does not say`},
		{"five with minimum two", "1|1,2,3,4,5|1,2,3,4,5", 2, durabilitySynced, false, `
now: may lose any 3 of 5 brokers - loses nothing, stops nothing
now: any 4 - loses nothing; writes wait until one is back
now: any 5 - reads stop too; records are lost only if all 5 disks are gone
guaranteed: acks=all is answered once 2 replicas hold the record: losing any 1 of them loses nothing; it is synced to disk by then, so a power cut of all brokers loses nothing`},
		{"offline", "-|1,2|", 1, durabilitySynced, true, `
now: a partition is offline: its records wait for a replica that was in sync to return
guaranteed: nothing: unclean elections are on, so a replica that was not in sync may lead and cut committed records off
trouble: 1 of 1 partition without a leader: no reads, no writes`},
	} {
		s := survive(topicState{Partitions: partitionsOf(t, c.parts), MinISR: c.min, Unclean: c.dirty, Durability: c.sync})
		var b strings.Builder
		for _, l := range s.Now {
			b.WriteString("\nnow: " + l)
		}
		b.WriteString("\nguaranteed: " + s.Guaranteed)
		for _, l := range s.Trouble {
			b.WriteString("\ntrouble: " + l)
		}
		if b.String() != c.want {
			t.Errorf("%s:%s\n\nwant%s", c.name, b.String(), c.want)
		}
	}
}
