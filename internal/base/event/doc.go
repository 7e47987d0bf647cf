// Package event declares every kind of thing that happens to records, topics and nodes and that somebody may ask
// about later: one table with name, severity, fields and the sentence a person reads.
//
// An Event is a value. A host makes it where the thing happens and hands it to its Sink; the node turns it into a
// log line, a counter and a record in the topic __holdfast_events. The JSON form is one line, stable, and read
// back by any version: a kind that the reader does not know keeps its fields and its sentence.
//
// The package keeps nothing and starts nothing.
package event
