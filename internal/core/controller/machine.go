package controller

import (
	"fmt"
	"io"
	"time"

	"holdfast/internal/base/config"
	"holdfast/internal/core/image"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Limits of one request. They are far above what tools send, and keep one entry of the metadata log small enough to
// write and replicate in one go.
const (
	MaxPartitionsPerRequest = 50_000
	MaxBatchBytes           = 16 << 20
)

// Command is one thing asked of the cluster.
type Command struct {
	// Request is one of *kmsg.CreateTopicsRequest, *kmsg.DeleteTopicsRequest, *kmsg.CreatePartitionsRequest,
	// *kmsg.IncrementalAlterConfigsRequest, *kmsg.AlterConfigsRequest, *kmsg.BrokerRegistrationRequest,
	// *kmsg.AllocateProducerIDsRequest, answered by the response of the same name at the request's version;
	// *AutoCreateTopics, answered by a *kmsg.CreateTopicsResponse; *FormCluster, answered by nil.
	Request any

	// Nonce is 32 random bytes: topic ids and the start of placements are derived from it. It must differ between
	// commands that create topics.
	Nonce [32]byte
}

// AutoCreateTopics creates topics with the broker's defaults because a client asked for them by name. A topic that
// exists already is a success, with its id: two clients often ask at once.
type AutoCreateTopics struct{ Names []string }

// FormCluster begins a new cluster. It changes nothing where there is one.
type FormCluster struct{ ClusterID string }

// Outcome is what a decision asks of the host: write Records as one batch, and when they are committed send Reply.
type Outcome struct {
	Records []image.Record // none: the reply is an answer to the picture as it is
	Reply   any
}

// Machine is the controller's state: the picture of the cluster after every applied batch.
type Machine struct {
	broker    *config.Values
	img       *image.Image
	described described
}

// New returns a machine that starts from img. Broker settings give the defaults of new topics; they are those of the
// controller's own node.
func New(broker *config.Values, img *image.Image) *Machine {
	return &Machine{broker: broker, img: img}
}

// Image is the picture after every applied batch.
func (m *Machine) Image() *image.Image { return m.img }

// Decide answers cmd from the picture as it is. It changes nothing.
func (m *Machine) Decide(now time.Time, cmd Command) Outcome {
	switch r := cmd.Request.(type) {
	case *kmsg.CreateTopicsRequest:
		return m.createTopics(r, cmd.Nonce)
	case *AutoCreateTopics:
		return m.autoCreateTopics(r, cmd.Nonce)
	case *kmsg.DeleteTopicsRequest:
		return m.deleteTopics(r)
	case *kmsg.CreatePartitionsRequest:
		return m.createPartitions(r, cmd.Nonce)
	case *kmsg.IncrementalAlterConfigsRequest:
		return m.incrementalAlterConfigs(r)
	case *kmsg.AlterConfigsRequest:
		return m.alterConfigs(r)
	case *kmsg.BrokerRegistrationRequest:
		return m.registerBroker(r)
	case *kmsg.AllocateProducerIDsRequest:
		return m.allocateProducerIDs(r)
	case *FormCluster:
		return m.formCluster(r)
	}
	panic(fmt.Sprintf("controller: no command %T", cmd.Request))
}

// Apply makes one batch of records true. It cannot fail: what was decided is a fact.
// The offset is the batch's place in the metadata log; it must be higher than that of the batch before.
func (m *Machine) Apply(offset int64, records []image.Record) {
	m.img = m.img.Apply(offset, records)
}

// Snapshot writes the state in its canonical form: equal states give equal bytes.
func (m *Machine) Snapshot(w io.Writer) error {
	_, err := w.Write(m.img.Snapshot(nil))
	return err
}

// Restore replaces the state by one that Snapshot wrote.
func (m *Machine) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	img, err := image.Load(b)
	if err != nil {
		return err
	}
	m.img = img
	return nil
}

func (m *Machine) formCluster(r *FormCluster) Outcome {
	if m.img.ClusterID() != "" {
		return Outcome{}
	}
	return Outcome{Records: []image.Record{
		&image.FormationRecord{ClusterID: r.ClusterID},
		&image.FeatureRecord{Name: image.FeatureMetadata, Level: image.MetadataVersion},
	}}
}
