package handler

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/core/image"
	"holdfast/internal/proto/wire"
)

// apiVersions tells what this broker speaks. unsupported is the header's error where the request's version is one this
// broker does not have: its body is then not read, and the answer names the versions to ask again in.
func (h *Handler) apiVersions(c *Call, unsupported error) error {
	code := wire.None
	if unsupported != nil {
		code = wire.UnsupportedVersion
	} else if c.header.Version >= 3 {
		var err error
		if code, err = h.noteSoftware(c); err != nil {
			return err
		}
	}
	h.check(c.header.Key, code)
	c.end(wire.AppendApiVersionsResponse(c.begin(1024), c.header.Version, code, h.features()))
	return nil
}

func (h *Handler) noteSoftware(c *Call) (wire.Code, error) {
	api, _ := wire.Lookup(c.header.Key)
	q, err := wire.Decode(api, c.header.Version, c.body)
	if err != nil {
		return wire.None, err
	}
	request := q.(*kmsg.ApiVersionsRequest)
	if !wire.ValidSoftware(request.ClientSoftwareName) || !wire.ValidSoftware(request.ClientSoftwareVersion) {
		return wire.InvalidRequest, nil
	}
	c.Client.Software = request.ClientSoftwareName + " " + request.ClientSoftwareVersion
	return wire.None, nil
}

// Clients look at this feature for the protocol of transactions to use. There is no switch: by protocol 2 (KIP-890) a
// request that comes late does no harm, and a client that knows only the one before is served by that.
const (
	featureTransactions = "transaction.version"
	transactionVersion  = 2
)

// features tells the levels of the cluster's metadata.
func (h *Handler) features() wire.Features {
	img := h.image()
	f := wire.Features{FinalizedEpoch: img.Offset()}
	f.Supported = append(f.Supported, wire.FeatureRange{Name: image.FeatureMetadata, Min: 1, Max: image.MetadataVersion})
	for name, level := range img.Features() {
		f.Finalized = append(f.Finalized, wire.FeatureLevel{Name: name, Level: level})
	}
	f.Supported = append(f.Supported, wire.FeatureRange{Name: featureTransactions, Max: transactionVersion})
	f.Finalized = append(f.Finalized, wire.FeatureLevel{Name: featureTransactions, Level: transactionVersion})
	return f
}
