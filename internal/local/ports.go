package local

import (
	"errors"
	"math/rand/v2"
	"net"
)

// FreePort finds a port for Options.Port of a cluster with so many nodes whose ports are free now.
//
// It stays below the ports that systems give to outgoing connections (32768 and up on Linux, 49152 on macOS). One of
// those, while its node is down, may become the near end of a client's connection: the node could not come back, and a
// client that dials it would at times reach itself.
func FreePort(nodes int) (int, error) {
	for range 200 {
		port := 20000 + rand.IntN(12000-portStep*nodes)
		if free(port, nodes) {
			return port, nil
		}
	}
	return 0, errors.New("found no free ports between 20000 and 32000")
}

func free(port, nodes int) bool {
	for i := range nodes {
		for _, p := range []int{port + i*portStep, port + i*portStep + 2} {
			l, err := net.Listen("tcp", address(p))
			if err != nil {
				return false
			}
			l.Close()
		}
	}
	return true
}
