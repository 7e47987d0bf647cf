package wire

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrPanic says that decoding panicked: a bug of ours or of a library. The caller counts it; the count must stay 0.
var ErrPanic = errors.New("decoding panicked")

// Decode reads the body of a request of any API but Produce and Fetch, which have views. It allocates no more than the API's
// MemoryFactor says. The request does not alias body. As in Apache Kafka, bytes behind the request and unknown tagged fields are ignored.
func Decode(api *API, version int16, body []byte) (req kmsg.Request, err error) {
	defer func() {
		if p := recover(); p != nil {
			req, err = nil, fmt.Errorf("%s version %d: %w: %v", api.Name, version, ErrPanic, p)
		}
	}()
	if version < api.Min || version > api.Max {
		return nil, fmt.Errorf("%w %d of %s", ErrUnsupportedVersion, version, api.Name)
	}
	if api.fields == nil {
		return nil, fmt.Errorf("%s is read by its view", api.Name)
	}
	body, err = whole(api.fields, version, api.Flexible(version), body)
	if err != nil {
		return nil, fmt.Errorf("%s version %d: %w", api.Name, version, err)
	}
	req = kmsg.RequestForKey(api.Key)
	req.SetVersion(version)
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%s version %d: %w", api.Name, version, err)
	}
	return req, nil
}
