package wire

import (
	"bytes"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var someFeatures = Features{
	Supported:      []FeatureRange{{"metadata.version", 7, 29}, {"transaction.version", 0, 2}},
	FinalizedEpoch: 17,
	Finalized:      []FeatureLevel{{"metadata.version", 29}, {"off", 0}},
}

func TestApiVersionsIsWhatKmsgWrites(t *testing.T) {
	for version := int16(0); version <= 4; version++ {
		for name, features := range map[string]Features{"none": {FinalizedEpoch: -1}, "some": someFeatures} {
			want := kmsg.NewPtrApiVersionsResponse()
			want.Version = version
			for _, api := range APIs() {
				want.ApiKeys = append(want.ApiKeys, kmsg.ApiVersionsResponseApiKey{ApiKey: api.Key, MinVersion: api.Min, MaxVersion: api.Max})
			}
			want.FinalizedFeaturesEpoch = features.FinalizedEpoch
			for _, s := range features.Supported {
				if s.Min > 0 || version >= 4 {
					want.SupportedFeatures = append(want.SupportedFeatures, kmsg.ApiVersionsResponseSupportedFeature{
						Name: s.Name, MinVersion: s.Min, MaxVersion: s.Max,
					})
				}
			}
			for _, l := range features.Finalized {
				if l.Level > 0 {
					want.FinalizedFeatures = append(want.FinalizedFeatures, kmsg.ApiVersionsResponseFinalizedFeature{
						Name: l.Name, MinVersionLevel: l.Level, MaxVersionLevel: l.Level,
					})
				}
			}
			if got := AppendApiVersionsResponse([]byte("head"), version, None, features)[4:]; !bytes.Equal(got, want.AppendTo(nil)) {
				t.Errorf("version %d, features %s:\n got %x\nwant %x", version, name, got, want.AppendTo(nil))
			}
		}
	}
}

// TestApiVersionsOfAnUnknownVersion: the client must be able to read the answer and to learn what to ask for.
func TestApiVersionsOfAnUnknownVersion(t *testing.T) {
	for _, version := range []int16{-1, 5, math.MaxInt16} {
		body := AppendApiVersionsResponse(nil, version, UnsupportedVersion, someFeatures)
		want := "\x00\x23" + "\x00\x00\x00\x01" + "\x00\x12\x00\x00\x00\x04"
		if string(body) != want {
			t.Errorf("version %d: %x, want %x", version, body, want)
		}
	}
}

func TestApiVersionsOfABadName(t *testing.T) {
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.Version = 3
	if err := resp.ReadFrom(AppendApiVersionsResponse(nil, 3, InvalidRequest, Features{FinalizedEpoch: -1})); err != nil {
		t.Fatal(err)
	}
	if resp.ErrorCode != 42 || len(resp.ApiKeys) != 0 {
		t.Fatalf("%+v", resp)
	}
	for name, want := range map[string]bool{
		"apache-kafka-java": true, "4.3.1": true, "a": true, "librdkafka": true, "v2.12.1-RC1": true,
		"": false, "-a": false, "a-": false, ".": false, "a b": false, "a/b": false, "é": false, "a\n": false,
	} {
		if ValidSoftware(name) != want {
			t.Errorf("%q: %v, want %v", name, !want, want)
		}
	}
}

// TestTableIsWhatKafkaAdvertises pins the versions of Apache Kafka 4.3.1.
func TestTableIsWhatKafkaAdvertises(t *testing.T) {
	kafka := map[string][2]int16{
		"Produce": {0, 13}, "Fetch": {4, 18}, "ListOffsets": {1, 11}, "Metadata": {0, 13}, "OffsetCommit": {2, 10}, "OffsetFetch": {1, 10},
		"FindCoordinator": {0, 6}, "JoinGroup": {0, 9}, "Heartbeat": {0, 4}, "LeaveGroup": {0, 5}, "SyncGroup": {0, 5}, "DescribeGroups": {0, 6},
		"ListGroups": {0, 5}, "DeleteGroups": {0, 2}, "OffsetDelete": {0, 0}, "ConsumerGroupHeartbeat": {0, 1}, "ConsumerGroupDescribe": {0, 1},
		"AddPartitionsToTxn": {0, 5}, "AddOffsetsToTxn": {0, 4}, "EndTxn": {0, 5}, "WriteTxnMarkers": {1, 2}, "TxnOffsetCommit": {0, 5}, "DescribeProducers": {0, 0},
		"DescribeTransactions": {0, 0}, "ListTransactions": {0, 2},
		"ApiVersions": {0, 4}, "CreateTopics": {2, 7},
		"DeleteTopics": {1, 6}, "DeleteRecords": {0, 2}, "InitProducerId": {0, 5}, "OffsetForLeaderEpoch": {2, 4},
		"DescribeConfigs": {1, 4}, "AlterConfigs": {0, 2}, "DescribeLogDirs": {1, 5}, "CreatePartitions": {0, 3},
		"IncrementalAlterConfigs": {0, 1}, "DescribeCluster": {0, 2}, "ListConfigResources": {0, 1}, "DescribeTopicPartitions": {0, 0},
	}
	apis := APIs()
	if len(apis) != len(kafka) {
		t.Errorf("%d APIs, want %d", len(apis), len(kafka))
	}
	for i, api := range apis {
		if got := [2]int16{api.Min, api.Max}; got != kafka[api.Name] {
			t.Errorf("%s %v, Kafka advertises %v", api.Name, got, kafka[api.Name])
		}
		req := kmsg.RequestForKey(api.Key)
		if api.Max > req.MaxVersion() {
			t.Errorf("%s: kmsg ends with version %d", api.Name, req.MaxVersion())
		}
		if i > 0 && apis[i-1].Key >= api.Key {
			t.Errorf("%s is out of order", api.Name)
		}
		for version := api.Min; version <= api.Max; version++ {
			if req.SetVersion(version); req.IsFlexible() != api.Flexible(version) {
				t.Errorf("%s version %d: flexible is %v", api.Name, version, api.Flexible(version))
			}
		}
		if (api.FrameCap == 0) != (api.Key == KeyProduce) || api.MemoryFactor == 0 || (api.fields == nil) != (api.Key <= KeyFetch) {
			t.Errorf("%s: %+v", api.Name, api)
		}
	}
}
