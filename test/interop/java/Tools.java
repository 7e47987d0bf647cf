import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Apache Kafka's command line tools one after the other in one process, which takes a tenth of the time of one
 * each. A line of standard input is a tool's class and its arguments, separated by tabs; a line of the answer is its
 * exit code and, in base64, what it printed.
 */
public final class Tools {
    private static final class Exited extends RuntimeException {
        private static final long serialVersionUID = 1;

        Exited() {
            super(null, null, false, false);
        }
    }

    private static Integer code; // with which the tool first wanted to end
    private static int said; // bytes that it had printed by then

    private Tools() {
    }

    public static void main(String[] args) throws Exception {
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        Exit.Procedure leave = (status, message) -> {
            if (code == null) {
                code = status;
                said = printed.size();
            }
            throw new Exited(); // some tools catch it, complain, and want to end once more
        };
        Exit.setExitProcedure(leave);
        Exit.setHaltProcedure(leave);
        PrintStream out = System.out;
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t", -1);
            printed.reset();
            code = null;
            run(words[0], Arrays.copyOfRange(words, 1, words.length), new PrintStream(printed, true, StandardCharsets.UTF_8));
            byte[] text = Arrays.copyOf(printed.toByteArray(), code == null ? printed.size() : said);
            out.println((code == null ? 0 : code) + " " + Base64.getEncoder().encodeToString(text));
            out.flush();
        }
    }

    private static void run(String tool, String[] args, PrintStream to) throws Exception {
        PrintStream out = System.out;
        PrintStream err = System.err;
        System.setOut(to);
        System.setErr(to);
        try {
            Class.forName(tool).getMethod("main", String[].class).invoke(null, (Object) args);
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Exited)) {
                to.println("threw " + e.getCause());
            }
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
    }
}
