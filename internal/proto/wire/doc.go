// Package wire turns bytes of the Kafka protocol into requests, and answers into bytes.
//
// It holds the API table (which APIs exist, in which versions, how large a frame may be, how much memory its decoding may take), the
// request and response headers, the error codes with what each of them means to a client, and hand-written views of the two hot
// requests, Produce and Fetch. Every other API is decoded with kmsg behind [Decode], which first proves that the body is well formed.
//
// It is not the network: it reads no socket, keeps no connection and holds no budget. The server calls it with whole frames.
//
// Invariants:
//   - No input makes it panic, and no count or length in the input makes it allocate or loop beyond the bytes that are there.
//   - Views alias the frame they were parsed from; they live as long as the frame does.
//   - Views and responses are reused by one connection at a time and then allocate nothing in steady state.
//   - Versions and names are those of Apache Kafka 4.3.
package wire
