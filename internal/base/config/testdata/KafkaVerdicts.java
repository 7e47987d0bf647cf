import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints the probing values, and for each topic and broker key those of them that Kafka takes. */
public class KafkaVerdicts {
  static final String[] PROBES = {"", " ", "true", "TRUE", " false ", "yes", "0", "-0", "+5", " 7 ", "007", "1", "-1", "-2", "-3", "2", "3", "4", "9", "10", "17", "18", "22", "23",
    "-131072", "-131073", "1048575", "1048576", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "1g", "1_000", "0x10", "1e3", "0.5", "1.0", "1.1", "-0.1", "NaN", "Infinity", ".5", "5.", "1d", "5f", "0x1p-1",
    "delete", "compact", "compact,delete", "delete, compact", "delete,delete", "delete,", ",", "Delete", "none", "NONE", "*", "1:2", "1:2,3:4", "1:2, 3:4", "1:", "a:b", "1:2:3",
    "producer", "gzip", "GZIP", "uncompressed", "zstd", " lz4 ", "brotli", "CreateTime", "createtime", "LogAppendTime", "header", "\u0661"};
  static String q(String s) {
    StringBuilder b = new StringBuilder("\"");
    for (char c : s.toCharArray()) b.append(c < 127 ? "" + c : String.format("\\u%04x", (int) c));
    return b.append('"').toString();
  }

  static void judge(String scope, ConfigDef def) {
    for (String key : new TreeSet<>(def.names())) {
      if (key.startsWith("internal.")) continue;
      StringBuilder line = new StringBuilder(scope + "\t" + key);
      for (String p : PROBES) {
        try {
          ConfigDef.ConfigKey k = def.configKeys().get(key);
          Object v = ConfigDef.parseType(key, p, k.type);
          if (k.validator != null) k.validator.ensureValid(key, v);
          line.append('\t').append(q(p));
        } catch (Exception e) {
          // refused: left out
        }
      }
      System.out.println(line);
    }
  }

  public static void main(String[] args) {
    StringBuilder probes = new StringBuilder("probes\t");
    for (String p : PROBES) probes.append('\t').append(q(p));
    System.out.println(probes);
    judge("topic", LogConfig.configDefCopy());
    judge("broker", kafka.server.KafkaConfig.configDef());
  }
}
