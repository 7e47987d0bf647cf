package partition

import (
	"errors"
	"fmt"
	"sync/atomic"

	"holdfast/internal/storage/commitlog"
	"holdfast/internal/storage/vfs"
)

// ErrDirFailed marks every error that follows from a failed data directory.
var ErrDirFailed = errors.New("data directory failed")

// dir is the data directory: its files and whether its device can still be believed.
//
// The first failed sync or device error ends acknowledging from it for good: after a failed sync the kernel may have
// dropped the dirty pages and marked them clean, so that the next sync succeeds without the data. Committed records
// below the high watermark were synced before and are still read.
type dir struct {
	fs    vfs.FS
	path  string
	files *commitlog.Files

	space    space
	failed   atomic.Pointer[error]
	onFailed func(error)
}

// Failed is nil while the directory may acknowledge.
func (d *dir) Failed() error {
	if e := d.failed.Load(); e != nil {
		return *e
	}
	return nil
}

// fail ends the directory. Only the first cause is kept and told.
func (d *dir) fail(cause error) {
	err := fmt.Errorf("%w: %s: %w; nothing is acknowledged from it any more. Check the device, then restart the node", ErrDirFailed, d.path, cause)
	if d.failed.CompareAndSwap(nil, &err) && d.onFailed != nil {
		d.onFailed(err)
	}
}
