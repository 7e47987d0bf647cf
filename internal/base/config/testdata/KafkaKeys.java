import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.DynamicConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.storage.internals.log.LogConfig;

/** Prints every topic and broker key of the Kafka on the class path, one a line, tab-separated. */
public class KafkaKeys {
  public static void main(String[] args) throws Exception {
    System.out.println("# scope\tname\ttype\tdefault\tvalid\tupdate mode\tbroker synonyms (what \"1\" becomes)\tinternal");
    Map<String, List<String>> synonyms = new HashMap<>();
    for (var e : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.entrySet()) {
      List<String> out = new ArrayList<>();
      for (ConfigSynonym s : e.getValue()) out.add(s.name() + "=" + s.converter().apply("1"));
      synonyms.put(e.getKey(), out);
    }
    print("topic", LogConfig.configDefCopy(), synonyms, Map.of());
    print("broker", kafka.server.KafkaConfig.configDef(), Map.of(), DynamicBrokerConfig.dynamicConfigUpdateModes());
    for (var k : new TreeSet<>(DynamicConfig.Broker.names()))
      if (!kafka.server.KafkaConfig.configDef().names().contains(k)) System.out.println("dynamic-only\t" + k);
  }
  static void print(String scope, ConfigDef def, Map<String, List<String>> synonyms, Map<String, String> modes) {
    for (String n : new TreeSet<>(def.names())) {
      ConfigDef.ConfigKey k = def.configKeys().get(n);
      String d = k.defaultValue == ConfigDef.NO_DEFAULT_VALUE ? "<none>" : k.defaultValue == null ? "<null>" : ConfigDef.convertToString(k.defaultValue, k.type);
      System.out.println(String.join("\t", scope, n, k.type.name().toLowerCase(Locale.ROOT), d, k.validator == null ? "" : k.validator.toString(),
        scope.equals("topic") ? "" : modes.getOrDefault(n, "read-only"), String.join(",", synonyms.getOrDefault(n, List.of())), k.internalConfig ? "internal" : ""));
    }
  }
}
