package controller

import (
	"crypto/sha256"
	"encoding/binary"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

const maxTopicName = 249

// metadataTopic is the name under which Kafka keeps its own metadata log. Tools treat it as special, so nobody may
// have a topic of that name.
const metadataTopic = "__cluster_metadata"

// ValidTopicName reports whether a topic may have this name.
func ValidTopicName(name string) bool { return checkTopicName(name) == nil }

// checkTopicName holds a name against Kafka's rules for new topics.
func checkTopicName(name string) *refusal {
	switch {
	case name == "":
		return refuse(wire.InvalidTopicException, "Topic name is invalid: the empty string is not allowed")
	case name == "." || name == "..":
		return refuse(wire.InvalidTopicException, "Topic name is invalid: '%s' is not allowed", name)
	case len(name) > maxTopicName:
		return refuse(wire.InvalidTopicException, "Topic name is invalid: the length of '%s' is longer than the max allowed length %d",
			name, maxTopicName)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return refuse(wire.InvalidTopicException,
				"Topic name is invalid: '%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
		}
	}
	return nil
}

// ids derives what must be random from a command's nonce, so that the same command always decides the same.
type ids struct {
	nonce [32]byte
	n     uint64
}

func (g *ids) next() [sha256.Size]byte {
	var b [40]byte
	copy(b[:], g.nonce[:])
	binary.BigEndian.PutUint64(b[32:], g.n)
	g.n++
	return sha256.Sum256(b[:])
}

// topic returns an id that no topic in img has: a version 4 UUID which, as in Kafka, never prints with a leading '-',
// because command lines would take it for a flag.
func (g *ids) topic(img *image.Image) image.TopicID {
	for {
		sum := g.next()
		id := image.TopicID(sum[:16])
		id[6] = id[6]&0x0f | 0x40
		id[8] = id[8]&0x3f | 0x80
		if id.String()[0] != '-' && img.TopicByID(id) == nil {
			return id
		}
	}
}

// number returns a number below n.
func (g *ids) number(n int) int {
	sum := g.next()
	return int(binary.BigEndian.Uint64(sum[:8]) % uint64(n))
}
