// Prints messages as Apache Kafka's own classes encode them, one a line: name, version, bytes in hex. See README.md.
import java.nio.ByteBuffer;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.*;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class KafkaWire {
    static final Uuid ID = new Uuid(0x0102030405060708L, 0x090a0b0c0d0e0f10L);

    static void print(String name, Message message, short version) {
        ByteBuffer b = MessageUtil.toByteBufferAccessor(message, version).buffer();
        StringBuilder hex = new StringBuilder();
        while (b.hasRemaining()) hex.append(String.format("%02x", b.get()));
        System.out.println(name + " " + version + " " + hex);
    }

    static MemoryRecords records() {
        return MemoryRecords.readableRecords(ByteBuffer.wrap("records of one partition".getBytes()));
    }

    static ProduceRequestData produce(short v) {
        var topics = new ProduceRequestData.TopicProduceDataCollection();
        topics.add(new ProduceRequestData.TopicProduceData().setName(v < 13 ? "orders" : "").setTopicId(v < 13 ? Uuid.ZERO_UUID : ID).setPartitionData(List.of(
            new ProduceRequestData.PartitionProduceData().setIndex(3).setRecords(records()),
            new ProduceRequestData.PartitionProduceData().setIndex(4).setRecords(null))));
        return new ProduceRequestData().setTransactionalId("tx").setAcks((short) -1).setTimeoutMs(1500).setTopicData(topics);
    }

    static ProduceResponseData produceAnswer(short v) {
        var ok = new ProduceResponseData.PartitionProduceResponse().setIndex(3).setBaseOffset(42).setLogAppendTimeMs(1700000000000L).setLogStartOffset(7);
        var bad = new ProduceResponseData.PartitionProduceResponse().setIndex(4).setErrorCode((short) 6).setBaseOffset(-1);
        bad.setErrorMessage("moved").setRecordErrors(List.of(
            new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(2).setBatchIndexErrorMessage("too old"),
            new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(3)));
        var data = new ProduceResponseData().setThrottleTimeMs(5);
        if (v >= 10) {
            bad.setCurrentLeader(new ProduceResponseData.LeaderIdAndEpoch().setLeaderId(2).setLeaderEpoch(9));
            data.nodeEndpoints().add(new ProduceResponseData.NodeEndpoint().setNodeId(2).setHost("host-2").setPort(9092).setRack("b"));
            data.nodeEndpoints().add(new ProduceResponseData.NodeEndpoint().setNodeId(3).setHost("host-3").setPort(9093));
        }
        data.responses().add(new ProduceResponseData.TopicProduceResponse().setName("orders").setTopicId(ID).setPartitionResponses(List.of(ok, bad)));
        return data;
    }

    static FetchRequestData fetch(short v) {
        var p = new FetchRequestData.FetchPartition().setPartition(3).setFetchOffset(42).setPartitionMaxBytes(1048576);
        p.setCurrentLeaderEpoch(6).setLogStartOffset(7);
        if (v >= 12) p.setLastFetchedEpoch(5);
        if (v >= 17) p.setReplicaDirectoryId(ID);
        if (v >= 18) p.setHighWatermark(41);
        var plain = new FetchRequestData.FetchPartition().setPartition(4).setFetchOffset(0).setPartitionMaxBytes(1);
        var data = new FetchRequestData().setMaxWaitMs(500).setMinBytes(1).setMaxBytes(52428800).setIsolationLevel((byte) 1);
        data.setTopics(List.of(new FetchRequestData.FetchTopic().setTopic("orders").setTopicId(ID).setPartitions(List.of(p, plain))));
        if (v >= 7) {
            data.setSessionId(77).setSessionEpoch(8);
            data.setForgottenTopicsData(List.of(new FetchRequestData.ForgottenTopic().setTopic("old").setTopicId(ID).setPartitions(List.of(1, 2))));
        }
        data.setRackId("a");
        if (v >= 12) data.setClusterId("cluster");
        if (v >= 15) data.setReplicaState(new FetchRequestData.ReplicaState().setReplicaId(1).setReplicaEpoch(11)); else data.setReplicaId(1);
        return data;
    }

    static FetchResponseData fetchAnswer(short v) {
        var ok = new FetchResponseData.PartitionData().setPartitionIndex(3).setHighWatermark(50).setLastStableOffset(49).setLogStartOffset(7);
        ok.setRecords(records()).setAbortedTransactions(List.of(new FetchResponseData.AbortedTransaction().setProducerId(1000).setFirstOffset(43)));
        if (v >= 11) ok.setPreferredReadReplica(2);
        var none = new FetchResponseData.PartitionData().setPartitionIndex(4).setHighWatermark(0).setLastStableOffset(0).setLogStartOffset(0);
        none.setRecords(MemoryRecords.EMPTY).setAbortedTransactions(List.of());
        var bad = new FetchResponseData.PartitionData().setPartitionIndex(5).setErrorCode((short) 6).setHighWatermark(-1).setRecords(MemoryRecords.EMPTY);
        bad.setAbortedTransactions(null);
        var data = new FetchResponseData().setThrottleTimeMs(5);
        if (v >= 7) data.setSessionId(77);
        if (v >= 12) {
            bad.setDivergingEpoch(new FetchResponseData.EpochEndOffset().setEpoch(3).setEndOffset(30));
            bad.setCurrentLeader(new FetchResponseData.LeaderIdAndEpoch().setLeaderId(2).setLeaderEpoch(9));
        }
        if (v >= 16) data.nodeEndpoints().add(new FetchResponseData.NodeEndpoint().setNodeId(2).setHost("host-2").setPort(9092).setRack("b"));
        data.setResponses(List.of(new FetchResponseData.FetchableTopicResponse().setTopic("orders").setTopicId(ID).setPartitions(List.of(ok, none, bad))));
        return data;
    }

    static ApiVersionsResponseData apiVersions(short v) {
        var data = new ApiVersionsResponseData().setErrorCode((short) 35);
        data.apiKeys().add(new ApiVersionsResponseData.ApiVersion().setApiKey((short) 18).setMinVersion((short) 0).setMaxVersion((short) 4));
        if (v >= 3) {
            data.supportedFeatures().add(new ApiVersionsResponseData.SupportedFeatureKey().setName("metadata.version").setMinVersion((short) 7).setMaxVersion((short) 29));
            data.finalizedFeatures().add(new ApiVersionsResponseData.FinalizedFeatureKey().setName("metadata.version").setMinVersionLevel((short) 29).setMaxVersionLevel((short) 29));
            data.setFinalizedFeaturesEpoch(17);
        }
        return data;
    }

    public static void main(String[] args) {
        for (short v = 3; v <= 13; v++) {
            print("ProduceRequest", produce(v), v);
            print("ProduceResponse", produceAnswer(v), v);
        }
        for (short v = 4; v <= 18; v++) {
            print("FetchRequest", fetch(v), v);
            print("FetchResponse", fetchAnswer(v), v);
        }
        for (short v = 0; v <= 4; v++) print("ApiVersionsResponse", apiVersions(v), v);
    }
}
