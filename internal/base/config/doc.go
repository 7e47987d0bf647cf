// Package config declares every setting once: name, type, default, range, scope, whether it can change while the
// node runs, whether it is secret, and one sentence of documentation. The command line's help, the checks of a
// properties file, DescribeConfigs and the data plane's TopicConfig all come from these tables.
//
// Names, types, defaults and ranges of Kafka's keys are those of Apache Kafka 4.3.1; testdata/kafka-4.3.1.tsv is
// what that release prints about itself, and a test holds our tables against it. Where we differ on purpose the
// test lists the key and the reason.
//
// A key has one standing. Honoured: its value is obeyed. DefaultOnly: it exists, but what it asks for is not
// built, so only the default is accepted. NotYet: it tunes a part that is not built, any value is accepted and one
// notice says so. NoMeaning: it tunes something Holdfast does not have (JVM, thread pools), accepted with one
// notice. Everything else is refused with the nearest name.
//
// Values is an immutable snapshot of broker settings with their sources; a change makes a new one (WithDynamic).
// The package holds no state, starts nothing and reads no file except in Load.
package config
