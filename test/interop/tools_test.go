package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// missing skips the test, or fails it where HOLDFAST_REQUIRE=all allows no skip.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("HOLDFAST_REQUIRE") == "all" {
		t.Fatalf("%s is missing and HOLDFAST_REQUIRE=all: run test/interop/install.sh", what)
	}
	t.Skipf("%s is missing: test/interop/install.sh installs it", what)
}

// installed is a path below the folder that install.sh fills. The test skips when it is not there.
func installed(t *testing.T, what string, elem ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{cacheDir(t)}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, what)
	}
	return path
}

func cacheDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("HOLDFAST_INTEROP_CACHE"); dir != "" {
		return dir
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "holdfast", "interop")
}

// program finds a command on the PATH, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, name)
	}
	return path
}

// tool is a command line without its last arguments.
type tool struct {
	argv []string
	env  []string
}

// name is how a person would call it: the program, or the script or class that it runs.
func (c tool) name() string {
	if base := filepath.Base(c.argv[0]); base != "java" && base != "python" && base != "node" {
		return base
	}
	return c.argv[len(c.argv)-1]
}

// toolLimit is far above what any run takes, and below the patience of a CI run.
const toolLimit = 90 * time.Second

// run feeds the tool and returns what it printed. A tool that fails, fails the test with what it said.
func (c tool) run(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errs, err := c.try(t, stdin, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", c.name(), strings.Join(args, " "), err, tail(out), tail(errs))
	}
	if strings.TrimSpace(errs) != "" {
		t.Logf("%s %s said: %s", c.name(), strings.Join(args, " "), tail(errs))
	}
	return out
}

// try is run for a tool that may fail.
func (c tool) try(t *testing.T, stdin string, args ...string) (out, errs string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolLimit)
	defer cancel()
	argv := append(append([]string{}, c.argv...), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// tail keeps a failing tool's log readable.
func tail(text string) string {
	const keep = 4000
	if len(text) > keep {
		return "... " + text[len(text)-keep:]
	}
	return text
}

// java is a main class on the class path of Apache Kafka's jars.
func java(t *testing.T, class string, options ...string) tool {
	t.Helper()
	path, jars := classPath(t, "Apache Kafka's jars", "java")
	classes := filepath.Join(filepath.Dir(path), "classes")
	return jvm(t, classes+string(os.PathListSeparator)+jars, class, options...)
}

// streams is a main class of the tests of Kafka Streams.
func streams(t *testing.T, class string) tool {
	t.Helper()
	_, jars := classPath(t, "the jars of Kafka Streams", "streams")
	return jvm(t, jars, class)
}

// classPath is the file that names the jars, and the names.
func classPath(t *testing.T, what, folder string) (path, jars string) {
	t.Helper()
	path = installed(t, "the class path of "+what, folder, "classpath")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.TrimSpace(string(b))
}

// jvm runs a main class. The flags make small programs start in half the time.
func jvm(t *testing.T, jars, class string, options ...string) tool {
	t.Helper()
	argv := append([]string{
		program(t, "java"), "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", jars,
	}, options...)
	return tool{argv: append(argv, class)}
}

// python is a script of this folder under the interpreter that has the clients.
func python(t *testing.T, script string) tool {
	t.Helper()
	return tool{
		argv: []string{installed(t, "Python with the clients", "venv", "bin", "python"), script},
		env:  []string{"PYTHONDONTWRITEBYTECODE=1"},
	}
}

// node is a script of this folder that finds the installed client.
func node(t *testing.T, script string) tool {
	t.Helper()
	return tool{
		argv: []string{program(t, "node"), script},
		env:  []string{"NODE_PATH=" + installed(t, "kafkajs", "node", "node_modules"), "KAFKAJS_NO_PARTITIONER_WARNING=1"},
	}
}
