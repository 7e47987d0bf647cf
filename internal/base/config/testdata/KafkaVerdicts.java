import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.storage.internals.log.LogConfig;
/** Prints how Kafka judges probing values of each topic key: key, value, ok or refused. */
public class KafkaVerdicts {
  static final String[] PROBES = {"", " ", "true", "TRUE", " false ", "yes", "0", "-0", "+5", " 7 ", "007", "1", "-1", "-2", "-3", "2", "3", "4", "9", "10", "17", "18", "22", "23",
    "-131072", "-131073", "1048575", "1048576", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "1g", "1_000", "0x10", "1e3", "0.5", "1.0", "1.1", "-0.1", "NaN", "Infinity", ".5", "5.", "1d", "5f", "0x1p-1",
    "delete", "compact", "compact,delete", "delete, compact", "delete,delete", "delete,", ",", "Delete", "none", "NONE", "*", "1:2", "1:2,3:4", "1:2, 3:4", "1:", "a:b", "1:2:3",
    "producer", "gzip", "GZIP", "uncompressed", "zstd", " lz4 ", "brotli", "CreateTime", "createtime", "LogAppendTime", "header", "\u0661"};
  public static void main(String[] args) throws Exception {
    ConfigDef def = LogConfig.configDefCopy();
    for (String key : new TreeSet<>(def.names())) {
      if (key.startsWith("internal.")) continue;
      for (String p : PROBES) {
        String verdict = "ok";
        try {
          Object v = ConfigDef.parseType(key, p, def.configKeys().get(key).type);
          ConfigDef.Validator val = def.configKeys().get(key).validator;
          if (val != null) val.ensureValid(key, v);
        } catch (Exception e) { verdict = "refused"; }
        StringBuilder q = new StringBuilder();
        for (char c : p.toCharArray()) q.append(c < 127 ? "" + c : String.format("\\u%04x", (int) c));
        System.out.println(key + "\t" + "\"" + q + "\"" + "\t" + verdict);
      }
    }
  }
}
