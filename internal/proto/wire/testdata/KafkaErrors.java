// Prints Apache Kafka's error codes: number, name, whether the Java client tries again. See README.md.
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.protocol.Errors;

public class KafkaErrors {
    public static void main(String[] args) {
        for (Errors e : Errors.values())
            System.out.println(e.code() + " " + e.name() + " " + (e.exception() instanceof RetriableException));
    }
}
