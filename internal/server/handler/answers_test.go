package handler

import (
	"testing"

	"holdfast/internal/proto/wire"
)

// UNKNOWN_SERVER_ERROR tells a client nothing, and some retry on it what they must not. It is no answer of any API: the
// tests of the handlers and of the node hold every answer to this table.
func TestUnknownServerErrorIsNoAnswer(t *testing.T) {
	for _, api := range wire.APIs() {
		if _, ok := wire.Answers(api.Key, wire.UnknownServerError); ok {
			t.Errorf("%s may answer UNKNOWN_SERVER_ERROR", api.Name)
		}
	}
}
