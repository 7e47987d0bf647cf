// Command holdfast is the whole of Holdfast: broker, command line and tools in one binary.
package main

import (
	"os"

	"holdfast/internal/cli"
)

func main() {
	os.Exit(cli.Main())
}
