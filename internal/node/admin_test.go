package node_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"holdfast/internal/proto/wire"
)

type describing struct {
	kind     kmsg.ConfigResourceType
	name     string
	keys     []string // nil for all
	synonyms bool
	docs     bool
}

func describe(c *raw, d describing) kmsg.DescribeConfigsResponseResource {
	c.t.Helper()
	q := kmsg.NewPtrDescribeConfigsRequest()
	q.Version, q.IncludeSynonyms, q.IncludeDocumentation = 4, d.synonyms, d.docs
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = d.kind, d.name, d.keys
	q.Resources = append(q.Resources, r)
	return c.ask(q).(*kmsg.DescribeConfigsResponse).Resources[0]
}

func alterBroker(c *raw, broker, key string, value *string) wire.Code {
	c.t.Helper()
	q := kmsg.NewPtrIncrementalAlterConfigsRequest()
	q.Version = 1
	r, k := kmsg.NewIncrementalAlterConfigsRequestResource(), kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	k.Name, k.Value = key, value
	if value == nil {
		k.Op = kmsg.IncrementalAlterConfigOpDelete
	}
	r.ResourceType, r.ResourceName, r.Configs = kmsg.ConfigResourceTypeBroker, broker, append(r.Configs, k)
	q.Resources = append(q.Resources, r)
	return wire.Code(c.ask(q).(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode)
}

// A topic's setting shows where it comes from: its own, the broker's, the cluster's, the file's, Kafka's default.
func TestDescribeConfigsSynonyms(t *testing.T) {
	n := start(t, t.TempDir(), "log.retention.ms=3000")
	createTopic(t, n, "orders", 1, "retention.ms", "1000")
	c := dial(t, n)
	if code := alterBroker(c, "", "log.retention.ms", kmsg.StringPtr("2000")); code != wire.None {
		t.Fatal(code)
	}
	r := describe(c, describing{kmsg.ConfigResourceTypeTopic, "orders", []string{"retention.ms"}, true, true})
	if r.ErrorCode != 0 || len(r.Configs) != 1 {
		t.Fatalf("%v with %d settings", wire.Code(r.ErrorCode), len(r.Configs))
	}
	got := r.Configs[0]
	if deref(got.Value) != "1000" || got.Source != kmsg.ConfigSourceDynamicTopicConfig || got.ConfigType != kmsg.ConfigTypeLong || len(deref(got.Documentation)) < 20 {
		t.Errorf("retention.ms: %+v", got)
	}
	type synonym struct {
		name, value string
		source      kmsg.ConfigSource
	}
	var synonyms []synonym
	for _, s := range got.ConfigSynonyms {
		synonyms = append(synonyms, synonym{s.Name, deref(s.Value), s.Source})
	}
	want := []synonym{
		{"retention.ms", "1000", kmsg.ConfigSourceDynamicTopicConfig},
		{"log.retention.ms", "2000", kmsg.ConfigSourceDynamicDefaultBrokerConfig},
		{"log.retention.ms", "3000", kmsg.ConfigSourceStaticBrokerConfig},
	}
	if len(synonyms) < 3 || !slices.Equal(synonyms[:3], want) {
		t.Errorf("synonyms %v, want first %v", synonyms, want)
	}

	r = describe(c, describing{kmsg.ConfigResourceTypeTopic, "orders", []string{"retention.ms"}, false, false})
	if got := r.Configs[0]; got.ConfigSynonyms != nil || got.Documentation != nil {
		t.Errorf("synonyms and documentation come unasked: %+v", got)
	}
}

func TestDescribeConfigsOfWhat(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	for _, tc := range []struct {
		kind kmsg.ConfigResourceType
		name string
		code wire.Code
		some bool
	}{
		{kmsg.ConfigResourceTypeTopic, "orders", wire.None, true},
		{kmsg.ConfigResourceTypeTopic, "nothing", wire.UnknownTopicOrPartition, false},
		{kmsg.ConfigResourceTypeTopic, "a/b", wire.InvalidTopicException, false},
		{kmsg.ConfigResourceTypeTopic, "", wire.InvalidTopicException, false},
		{kmsg.ConfigResourceTypeBroker, "1", wire.None, true},
		{kmsg.ConfigResourceTypeBroker, "", wire.None, false},
		{kmsg.ConfigResourceTypeBroker, "99", wire.InvalidRequest, false},
		{kmsg.ConfigResourceTypeBroker, "abc", wire.InvalidRequest, false},
		{kmsg.ConfigResourceType(99), "x", wire.InvalidRequest, false},
	} {
		r := describe(c, describing{kind: tc.kind, name: tc.name})
		if r.ErrorCode != int16(tc.code) || len(r.Configs) > 0 != tc.some {
			t.Errorf("type %d %q: %v with %d settings, want %v", tc.kind, tc.name, wire.Code(r.ErrorCode), len(r.Configs), tc.code)
		}
	}
	if r := describe(c, describing{kind: kmsg.ConfigResourceTypeTopic, name: "orders", keys: []string{}}); len(r.Configs) != 0 {
		t.Errorf("an empty list of keys gives %d settings", len(r.Configs))
	}
	// Each setting of a topic has a documentation, a type and a value.
	for _, s := range describe(c, describing{kind: kmsg.ConfigResourceTypeTopic, name: "orders", docs: true}).Configs {
		if len(deref(s.Documentation)) < 20 || s.ConfigType == 0 || s.Value == nil {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
}

func TestListConfigResources(t *testing.T) {
	n := start(t, t.TempDir())
	createTopic(t, n, "orders", 1)
	c := dial(t, n)
	list := func(version int16, kinds ...int8) (wire.Code, map[string]bool) {
		q := kmsg.NewPtrListConfigResourcesRequest()
		q.Version, q.ResourceTypes = version, kinds
		r := c.ask(q).(*kmsg.ListConfigResourcesResponse)
		out := map[string]bool{}
		for _, x := range r.ConfigResources {
			out[kmsg.ConfigResourceType(x.Type).String()+" "+x.Name] = true
		}
		delete(out, "TOPIC __holdfast_events")
		return wire.Code(r.ErrorCode), out
	}
	for _, tc := range []struct {
		version int16
		kinds   []int8
		code    wire.Code
		want    []string
	}{
		{0, nil, wire.None, nil},
		{1, nil, wire.None, []string{"TOPIC orders", "BROKER 1"}},
		{1, []int8{2}, wire.None, []string{"TOPIC orders"}},
		{1, []int8{4}, wire.None, []string{"BROKER 1"}},
		{1, []int8{16}, wire.None, nil},
		{1, []int8{2, 99}, wire.UnsupportedVersion, nil},
	} {
		code, got := list(tc.version, tc.kinds...)
		lacks := slices.ContainsFunc(tc.want, func(s string) bool { return !got[s] })
		if code != tc.code || len(got) != len(tc.want) || lacks {
			t.Errorf("version %d, types %v: %v, %v; want %v, %v", tc.version, tc.kinds, code, got, tc.code, tc.want)
		}
	}
}

func TestDescribeLogDirs(t *testing.T) {
	dir := t.TempDir()
	n := start(t, dir)
	createTopic(t, n, "orders", 2)
	size := fill(t, n, "orders", 1, 3)
	c := dial(t, n)
	ask := func(topics []kmsg.DescribeLogDirsRequestTopic) (map[at]int64, kmsg.DescribeLogDirsResponseDir) {
		q := kmsg.NewPtrDescribeLogDirsRequest()
		q.Version, q.Topics = 4, topics
		r := c.ask(q).(*kmsg.DescribeLogDirsResponse)
		out := map[at]int64{}
		for _, topic := range r.Dirs[0].Topics {
			for _, p := range topic.Partitions {
				out[at{topic: topic.Topic, partition: p.Partition}] = p.Size
			}
		}
		return out, r.Dirs[0]
	}
	orders := func(partitions ...int32) []kmsg.DescribeLogDirsRequestTopic {
		return []kmsg.DescribeLogDirsRequestTopic{{Topic: "orders", Partitions: partitions}}
	}
	all, d := ask(nil)
	if d.ErrorCode != 0 || d.Dir != dir || d.TotalBytes <= 0 || d.UsableBytes <= 0 || d.UsableBytes > d.TotalBytes {
		t.Errorf("directory %+v", d)
	}
	if all[at{topic: "orders", partition: 1}] != int64(3*size) || all[at{topic: "orders"}] != 0 {
		t.Errorf("sizes %v, want %d in orders-1", all, 3*size)
	}
	for _, tc := range []struct {
		topics []kmsg.DescribeLogDirsRequestTopic
		want   int
	}{
		{[]kmsg.DescribeLogDirsRequestTopic{}, 0},
		{orders(0, 1, 0), 2},
		{orders(1, 9), 1},
		{orders(), 0},
		{[]kmsg.DescribeLogDirsRequestTopic{{Topic: "nothing", Partitions: []int32{0}}}, 0},
	} {
		if got, _ := ask(tc.topics); len(got) != tc.want {
			t.Errorf("asked for %+v: %v", tc.topics, got)
		}
	}
}

func TestDescribeCluster(t *testing.T) {
	n := start(t, t.TempDir(), "broker.rack=cellar")
	c := dial(t, n)
	for endpoints, want := range map[int8]wire.Code{1: wire.None, 2: wire.MismatchedEndpointType, 3: wire.UnsupportedEndpointType} {
		q := kmsg.NewPtrDescribeClusterRequest()
		q.Version, q.EndpointType, q.IncludeClusterAuthorizedOperations = 1, endpoints, true
		r := c.ask(q).(*kmsg.DescribeClusterResponse)
		if r.ErrorCode != int16(want) || (len(r.Brokers) == 1) != (want == wire.None) {
			t.Errorf("endpoint type %d: %v with %d brokers", endpoints, wire.Code(r.ErrorCode), len(r.Brokers))
		}
		if want == wire.None && (deref(r.Brokers[0].Rack) != "cellar" || r.ControllerID != 1 || r.ClusterID == "" || r.ClusterAuthorizedOperations <= 0) {
			t.Errorf("answered %+v", r)
		}
	}
}
