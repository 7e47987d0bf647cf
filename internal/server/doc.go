// Package server takes connections and moves frames: listeners, limits, the memory budget, and the order of answers.
//
// It is not the protocol (proto/wire) and answers nothing itself (server/handler does). One goroutine a connection
// reads a request and runs it to completion; only an answer that must wait - an acks=all produce whose records are not
// yet committed - goes through the connection's writer, which then also keeps later answers in order behind it.
//
//	read frame ─▶ budget ─▶ handler.Serve ─▶ ready and nothing queued ─▶ write
//	                              └─▶ must wait, or others wait ─▶ queue ─▶ writer: finish in order ─▶ write
//
// So the next produce request of a connection is appended while the previous one still waits for its commit, and
// whatever else is asked is answered on the goroutine that read it.
//
// Bounds: connections in all and per address, frame size per API, queued answers a connection (maxQueued), bytes of all
// requests in work (the budget), seconds without a byte.
package server
