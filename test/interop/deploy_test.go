package interop

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDeployFilesStart holds the image's and the unit's command lines to the flags that there are.
func TestDeployFilesStart(t *testing.T) {
	help := holdfast(t).run(t, "", "serve", "--help")
	flag := regexp.MustCompile(`--[a-z]+`)
	for file, command := range map[string]*regexp.Regexp{
		"../../Dockerfile":              regexp.MustCompile(`(?m)^CMD \[(.*)\]$`),
		"../../deploy/holdfast.service": regexp.MustCompile(`(?m)^ExecStart=(.*)$`),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := command.FindSubmatch(text)
		if m == nil || !strings.Contains(string(m[1]), "serve") {
			t.Errorf("%s starts no broker", file)
			continue
		}
		for _, f := range flag.FindAllString(string(m[1]), -1) {
			if !strings.Contains(help, f+" ") {
				t.Errorf("%s: serve has no flag %s", file, f)
			}
		}
	}
}
