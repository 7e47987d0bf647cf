import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.*;

/**
 * Writes the *.bin of this folder with Apache Kafka's own classes, and prints what those classes read in files given
 * as further arguments: java -cp ... Golden.java DIR [FILE...]
 */
public class Golden {
    static byte[] utf(String s) { return s == null ? null : s.getBytes(java.nio.charset.StandardCharsets.UTF_8); }

    static void write(Path file, MemoryRecords records) throws Exception {
        ByteBuffer b = records.buffer().duplicate();
        byte[] bytes = new byte[b.remaining()];
        b.get(bytes);
        Files.write(file, bytes);
    }

    static MemoryRecords sample(Compression c, long producer, short epoch, int sequence, boolean txn, int n) {
        ByteBuffer buffer = ByteBuffer.allocate(1 << 20);
        MemoryRecordsBuilder b = new MemoryRecordsBuilder(buffer, (byte) 2, c, TimestampType.CREATE_TIME, 0L, -1L, producer,
            epoch, sequence, txn, false, -1, 1 << 20);
        for (int i = 0; i < n; i++) {
            List<Header> headers = new ArrayList<>();
            for (int h = 0; h < i % 3; h++) headers.add(new RecordHeader("h" + h, h == 1 ? null : utf("v" + i)));
            byte[] key = i % 4 == 3 ? null : utf("key-" + i), value = i % 5 == 4 ? null : utf("value-" + i + "-é".repeat(i));
            b.append(1700000000000L + (i % 2 == 0 ? i : -i) * 10L, key, value, headers.toArray(new Header[0]));
        }
        return b.build();
    }

    public static void main(String[] args) throws Exception {
        Path dir = Path.of(args[0]);
        write(dir.resolve("none.bin"), sample(Compression.NONE, -1, (short) -1, -1, false, 40));
        write(dir.resolve("gzip.bin"), sample(Compression.gzip().build(), -1, (short) -1, -1, false, 40));
        write(dir.resolve("snappy.bin"), sample(Compression.snappy().build(), -1, (short) -1, -1, false, 40));
        write(dir.resolve("lz4.bin"), sample(Compression.lz4().build(), -1, (short) -1, -1, false, 40));
        write(dir.resolve("lz4-17.bin"), sample(Compression.lz4().level(17).build(), -1, (short) -1, -1, false, 40));
        write(dir.resolve("zstd.bin"), sample(Compression.zstd().build(), -1, (short) -1, -1, false, 40));
        write(dir.resolve("zstd-22.bin"), sample(Compression.zstd().level(22).build(), -1, (short) -1, -1, false, 40));
        write(dir.resolve("txn.bin"), sample(Compression.NONE, 4711, (short) 3, 2147483646, true, 3));
        write(dir.resolve("commit.bin"), MemoryRecords.withEndTransactionMarker(0L, 1700000000000L, -1, 4711, (short) 3,
            new EndTransactionMarker(ControlRecordType.COMMIT, 12)));
        write(dir.resolve("abort.bin"), MemoryRecords.withEndTransactionMarker(0L, 1700000000000L, -1, 4711, (short) 3,
            new EndTransactionMarker(ControlRecordType.ABORT, 12)));
        for (int i = 1; i < args.length; i++) {
            MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(Path.of(args[i]))));
            int count = 0, sum = 0;
            for (RecordBatch batch : records.batches()) {
                batch.ensureValid();
                for (org.apache.kafka.common.record.internal.Record r : batch) {
                    count++;
                    sum += r.sizeInBytes();
                }
                System.out.println(args[i] + " " + batch.compressionType() + " records=" + count + " bytes=" + sum
                    + " max=" + batch.maxTimestamp() + " last=" + batch.lastOffset() + " control=" + batch.isControlBatch());
            }
        }
    }
}
