import java.io.StringReader;
import java.util.Properties;
import java.util.TreeSet;

/** Prints how java.util.Properties reads each of a few tricky texts: the text, then its keys and values. */
public class JavaProperties {
  static final String[] TEXTS = {
    "a=b", "a = b ", "a:b", "a b", "a", "a=", "=b", ":b", "a==b", "a:=b", "a = : b", "a\tb", "a\f=\fb", "a\\=b=c", "a\\:b:c", "a\\ b c",
    "#a=b", "!a=b", "  # a=b", "a=b#c", "a=b\nc=d", "a=b\r\nc=d", "a=b\rc=d", "a=b\n\n\nc=d", "a=b\\\n  c", "a=b\\\n#c\nd=e", "a=b\\\\\nc=d", "a=b\\\\\\\nc=d",
    "a=b\\", "a\\\nb=c", "a=\\\n", "a=b\\\n\nc=d", "a=\\t\\n\\r\\f\\b\\q\\\\", "a=\\u0041\\u00e4", "\\u0041=x", "a=\\uD83D\\uDE00", "a=x\\u003dy", "a\\u003d=y",
    "  a  =  b  c  ", "a=\\ b", "a=b\\r", "a=1\na=2", "\\#a=b", "\\!a=b", "a=#b", "a\\\\=b", "a=\u00e4", "a=\\\\u0041", "# c \\\na=b", "a=b \\\n \t c", "\\\na=b", " \\\n a=b", "a=b\\\r\n c",
  };

  static String q(String s) {
    StringBuilder b = new StringBuilder("\"");
    for (char c : s.toCharArray()) {
      if (c == '"' || c == '\\') b.append('\\').append(c);
      else if (c < 32 || c > 126) b.append(String.format("\\u%04x", (int) c));
      else b.append(c);
    }
    return b.append('"').toString();
  }

  public static void main(String[] args) throws Exception {
    for (String t : TEXTS) {
      Properties p = new Properties();
      p.load(new StringReader(t));
      StringBuilder b = new StringBuilder(q(t));
      for (String k : new TreeSet<>(p.stringPropertyNames())) b.append('\t').append(q(k)).append('\t').append(q(p.getProperty(k)));
      System.out.println(b);
    }
  }
}
