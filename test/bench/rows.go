package main

import "fmt"

// rows is the comparison, the most telling first.
func (b *bench) rows() []row {
	speed := func(ours, oursCPU, unsynced, unsyncedCPU float64) []aim {
		return []aim{{figure: mbps, ours: ours, unsynced: unsynced}, {figure: cpuPerGB, ours: oursCPU, unsynced: unsyncedCPU}}
	}
	rows := []row{
		b.startRow(),
		b.produceRow("produce acks=all 1 partition", "1 KB records", func(*work) {}, speed(2, 2.5, 3, 4)...),
		b.produceRow("produce acks=all 6 partitions", "1 KB records", func(w *work) { w.Partitions = 6 }, speed(2, 2.5, 3, 4)...),
		b.latencyRow("latency 1,000/s", 1000, 1, []aim{{figure: p50, ours: 1, unsynced: 2}, {figure: p99, ours: 2, unsynced: 3}, {figure: p999, unsynced: 3}}),
		b.latencyRow("latency 10,000/s", 10_000, 6, []aim{{figure: p50, ours: 1, unsynced: 2}, {figure: p99, ours: 2, unsynced: 3}, {figure: p999, unsynced: 3}}),
		b.consumeRow("consume hot 1 partition", "1 KB records that are in the page cache", 1, speed(1.3, 1/0.6, 0, 0)...),
		b.consumeRow("consume hot 6 partitions", "1 KB records that are in the page cache", 6, speed(1.2, 1/0.6, 0, 0)...),
		b.produceRow("produce acks=1 6 partitions", "1 KB records", func(w *work) { w.Partitions, w.Acks = 6, "1" }, speed(2, 2.5, 3, 4)...),
		b.produceRow("produce acks=0 6 partitions", "1 KB records", func(w *work) { w.Partitions, w.Acks = 6, "0" }, speed(2, 2.5, 3, 4)...),
		b.produceRow("produce 100 B", "6 partitions", func(w *work) { w.Partitions, w.Size = 6, 100; w.Records *= 5 }, speed(1.4, 2.5, 1.4, 2.5)...),
		b.produceRow("produce 10 KB", "6 partitions", func(w *work) { w.Partitions, w.Size = 6, 10<<10; w.Records /= 8 }, speed(3, 2.5, 3, 2.5)...),
		b.produceRow("produce lz4", "1 KB records, 6 partitions", func(w *work) { w.Partitions, w.Codec, w.Text = 6, "lz4", true; w.Records *= 2 }, speed(1.4, 4, 1.4, 4)...),
		b.produceRow("produce zstd", "1 KB records, 6 partitions", func(w *work) { w.Partitions, w.Codec, w.Text = 6, "zstd", true; w.Records *= 2 }, speed(1.4, 4, 1.4, 4)...),
		b.produceRow("produce keyed 100 partitions", "1 KB records, linger 5 ms", keyed(100), speed(2.5, 0, 2.5, 0)...),
		b.produceRow("produce keyed 1000 partitions", "1 KB records, linger 5 ms", keyed(1000), speed(4, 0, 4, 0)...),
		b.syncedRow("produce synced 1 partition", func(*work) {}, 1.5),
		b.syncedRow("produce synced 100 partitions", keyed(100), 2.5),
		b.syncedRow("produce synced 1000 partitions", keyed(1000), 10),
		b.producersRow(50, 100_000),
		b.producersRow(400, 25_000), // each record is a request of its own here: 100 MB/s of them are beyond two cores
		b.recoveryRow(int32(max(2300*b.scale, 10)), int64(max(21e6*b.scale, 1000))),
		b.topicsRow(),
		b.connectionsRow(int(5000*min(b.scale, 1)), int(10_000*min(b.scale, 1))),
		b.coldRow(),
	}
	synced := b.latencyRow("latency synced 1,000/s", 1000, 1, []aim{
		{figure: p50, ours: 8, against: theirsSynced.name}, {figure: p99, ours: 10, against: theirsSynced.name},
	})
	synced.variants = []variant{theirsSynced, ours}
	return append(append(rows, synced), b.groupRows()...)
}

func keyed(partitions int32) func(*work) {
	return func(w *work) { w.Partitions, w.Keys, w.LingerMs = partitions, 100*int(partitions), 5 }
}

// latencyRow sends at a fixed rate, each record on its own.
func (b *bench) latencyRow(name string, rate float64, partitions int32, aims []aim) row {
	return b.produceRow(name, "1 KB records at a fixed rate, acks=all, no linger", func(w *work) {
		w.Partitions, w.Rate, w.Seconds, w.Records = partitions, rate, max(10*min(b.scale, 1), 2), 0
	}, aims...)
}

// syncedRow has both systems sync before they acknowledge.
func (b *bench) syncedRow(name string, change func(*work), ratio float64) row {
	r := b.produceRow(name, "1 KB records, on stable storage before the acknowledgement on both", change,
		aim{figure: mbps, ours: ratio, against: theirsSynced.name}, aim{figure: cpuPerGB, ours: 1, against: theirsSynced.name})
	r.variants = []variant{theirsSynced, ours}
	return r
}

// producersRow has many producers offer so many records of 1 KB a second.
func (b *bench) producersRow(n int, rate float64) row {
	what := fmt.Sprintf("keyed, 100 partitions, linger 5 ms, %g MB/s offered", rate/1000)
	return b.produceRow(fmt.Sprintf("%d producers", n), what, func(w *work) {
		keyed(100)(w)
		w.Producers, w.Rate, w.Records, w.Seconds = n, rate, 0, max(10*min(b.scale, 1), 2)
	}, aim{figure: p99, ours: 2, unsynced: 2, most: 20})
}
