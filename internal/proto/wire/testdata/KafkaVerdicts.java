// Reads lines of key, version, body in hex; prints each with what Apache Kafka's own classes make of it: the number of bytes they
// read, or -1 if they refuse it. See README.md.
import java.io.*;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.message.ApiMessageType;

public class KafkaVerdicts {
    public static void main(String[] args) throws Exception {
        var in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            String[] f = line.split(" ", -1);
            ByteBuffer body = ByteBuffer.wrap(HexFormat.of().parseHex(f[2]));
            int read = -1;
            try {
                ApiKeys key = ApiKeys.forId(Integer.parseInt(f[0]));
                var message = ApiMessageType.fromApiKey(key.id).newRequest();
                message.read(new ByteBufferAccessor(body), Short.parseShort(f[1]));
                read = body.position();
            } catch (RuntimeException refused) {
            }
            System.out.println(f[0] + " " + f[1] + " " + f[2] + " " + read);
        }
    }
}
