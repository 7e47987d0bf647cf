package commitlog

import (
	"fmt"
	"strconv"
	"strings"
)

// The files of a partition folder, named as Kafka names them: twenty digits of base offset and a suffix.
const (
	logSuffix      = ".log"
	indexSuffix    = ".index"
	timeSuffix     = ".timeindex"
	txnSuffix      = ".txnindex"
	snapshotSuffix = ".snapshot"
	deletedSuffix  = ".deleted"
	cleanedSuffix  = ".cleaned"
	swapSuffix     = ".swap"
	tmpSuffix      = ".tmp"

	epochsName   = "leader-epoch-checkpoint"
	metadataName = "partition.metadata"

	offsetDigits = 20
)

func fileName(offset int64, suffix string) string {
	return fmt.Sprintf("%0*d%s", offsetDigits, offset, suffix)
}

// parseName reads a name back; ok is false for every file that is not of this kind.
func parseName(name, suffix string) (offset int64, ok bool) {
	digits, found := strings.CutSuffix(name, suffix)
	if !found || len(digits) != offsetDigits {
		return 0, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	offset, err := strconv.ParseInt(digits, 10, 64)
	return offset, err == nil
}
