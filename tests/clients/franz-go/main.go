// franz-go: kgo as producer and as consumer by assignment, kadm for the rest; groups in groups.go.
// The records that it writes are described in ../README.md.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

const (
	topic      = "franz-go"
	partitions = 3
	perCodec   = 100
)

var (
	bootstrap = os.Getenv("MILLRACE_BOOTSTRAP")
	standIn   = os.Getenv("MILLRACE_STAND_IN") != ""
	baseMs    = (time.Now().Unix() - 3600) * 1000
	written   = []string{"none", "gzip", "snappy", "lz4", "zstd", "idempotent"}
	codecs    = map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	admin    *kadm.Client
	failures int
)

// ---- checks ---------------------------------------------------------------------------------

type failure string

// check runs one check and prints its line.
func check(name string, body func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	defer func() {
		switch why := recover().(type) {
		case nil:
			fmt.Println("ok", name)
		case failure:
			failures++
			fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(string(why), "\n", " "))
		default:
			panic(why)
		}
	}()
	body(ctx)
}

func skip(name, reason string) { fmt.Printf("skip %s: %s\n", name, reason) }

func fail(format string, arguments ...any) { panic(failure(fmt.Sprintf(format, arguments...))) }

func must(err error) {
	if err != nil {
		fail("%T: %v", err, err)
	}
}

func got[T any](value T, err error) T {
	must(err)
	return value
}

func equal[T comparable](is, wanted T, what string) {
	if is != wanted {
		fail("%s is %v, not %v", what, is, wanted)
	}
}

func refused(err, wanted error) {
	if !errors.Is(err, wanted) {
		fail("the error is %v, not %v", err, wanted)
	}
}

// ---- records --------------------------------------------------------------------------------

func record(codec string, index int) *kgo.Record {
	r := &kgo.Record{
		Topic: topic, Partition: int32(index % partitions),
		Timestamp: time.UnixMilli(baseMs + int64(index)*1000),
		Key:       fmt.Appendf(nil, "%s-%d", codec, index),
		Value:     bytes.Repeat(fmt.Appendf(nil, "value %d of %s, ", index, codec), 20),
		Headers:   []kgo.RecordHeader{{Key: "codec", Value: []byte(codec)}, {Key: "null"}, {Key: "codec", Value: []byte("again")}},
	}
	switch index % 10 {
	case 7:
		r.Value = nil
	case 8:
		r.Value = []byte{}
	case 9:
		r.Key = nil
	}
	return r
}

func text(r *kgo.Record) string {
	data := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return "'" + string(b) + "'"
	}
	result := fmt.Sprintf("%d %s %s", r.Timestamp.UnixMilli(), data(r.Key), data(r.Value))
	for _, header := range r.Headers {
		result += " " + header.Key + "=" + data(header.Value)
	}
	return result
}

func random(length int) []byte {
	result := make([]byte, length)
	_ = got(rand.Read(result))
	return result
}

func client(options ...kgo.Opt) *kgo.Client {
	all := []kgo.Opt{kgo.SeedBrokers(bootstrap), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	return got(kgo.NewClient(append(all, options...)...))
}

func produce(ctx context.Context, records []*kgo.Record, options ...kgo.Opt) error {
	c := client(append([]kgo.Opt{kgo.ProducerLinger(20 * time.Millisecond)}, options...)...)
	defer c.Close()
	return c.ProduceSync(ctx, records...).FirstErr()
}

var plain = kgo.DisableIdempotentWrite()

func produceOne(ctx context.Context, to string, partition int32, key, value []byte, options ...kgo.Opt) error {
	r := &kgo.Record{Topic: to, Partition: partition, Key: key, Value: value, Timestamp: time.UnixMilli(baseMs)}
	return produce(ctx, []*kgo.Record{r}, options...)
}

// consume reads `count` records of each of some partitions from an offset.
func consume(ctx context.Context, from kgo.Offset, name string, counts map[int32]int, options ...kgo.Opt) map[int32][]*kgo.Record {
	at := map[int32]kgo.Offset{}
	left := 0
	for partition, count := range counts {
		at[partition] = from
		left += count
	}
	c := client(append(options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: at}))...)
	defer c.Close()
	result := map[int32][]*kgo.Record{}
	for left > 0 {
		fetches := c.PollFetches(ctx)
		must(fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			result[r.Partition] = append(result[r.Partition], r)
			left--
		})
	}
	return result
}

// ---- topics ---------------------------------------------------------------------------------

func create(ctx context.Context, name string, count int32, configs ...string) kadm.CreateTopicResponse {
	values := map[string]*string{}
	for i := 0; i < len(configs); i += 2 {
		values[configs[i]] = &configs[i+1]
	}
	response, err := admin.CreateTopic(ctx, count, 1, values, name)
	must(err)
	return response
}

// list asks with a client of its own: the admin client keeps what it learned for a while.
func list(ctx context.Context, names ...string) kadm.TopicDetails {
	c := client()
	defer c.Close()
	return got(kadm.NewClient(c).ListTopics(ctx, names...))
}

func createTopic(ctx context.Context) {
	made := create(ctx, topic, partitions, "max.message.bytes", "300000", "retention.ms", "-1")
	equal(made.NumPartitions, partitions, "partitions in the answer")
	equal(made.ReplicationFactor, 1, "replication factor in the answer")
	equal(*made.Configs["max.message.bytes"].Value, "300000", "max.message.bytes in the answer")
	if made.ID == (kadm.TopicID{}) {
		fail("no topic id")
	}
}

func createRefused(ctx context.Context) {
	_, err := admin.CreateTopic(ctx, 1, 1, nil, topic)
	refused(err, kerr.TopicAlreadyExists)
	_, err = admin.CreateTopic(ctx, 1, 1, nil, "no spaces")
	refused(err, kerr.InvalidTopicException)
	_, err = admin.CreateTopic(ctx, 0, 1, nil, "no-partitions")
	refused(err, kerr.InvalidPartitions)
	soon := "soon"
	_, err = admin.CreateTopic(ctx, 1, 1, map[string]*string{"retention.ms": &soon}, "bad-config")
	refused(err, kerr.InvalidConfig)
}

func createValidateOnly(ctx context.Context) {
	made := got(admin.ValidateCreateTopics(ctx, 2, 1, nil, "only-validated"))
	must(made["only-validated"].Err)
	if list(ctx).Has("only-validated") {
		fail("it was created")
	}
}

func createThreeReplicas(ctx context.Context) {
	must(got(admin.CreateTopic(ctx, 1, 3, nil, "three-replicas")).Err)
	equal(list(ctx)["three-replicas"].Partitions.NumReplicas(), 1, "replicas")
}

func createPartitions(ctx context.Context) {
	create(ctx, "growing", 1)
	must(got(admin.UpdatePartitions(ctx, 4, "growing")).Error())
	equal(len(list(ctx, "growing")["growing"].Partitions), 4, "partitions")
	refused(got(admin.UpdatePartitions(ctx, 2, "growing")).Error(), kerr.InvalidPartitions)
	refused(got(admin.UpdatePartitions(ctx, 2, "nowhere")).Error(), kerr.UnknownTopicOrPartition)
}

func listTopic(ctx context.Context) {
	listed := list(ctx, topic)[topic]
	must(listed.Err)
	equal(len(listed.Partitions), partitions, "partitions")
	for _, partition := range listed.Partitions {
		equal(len(partition.Replicas), 1, "replicas")
		equal(partition.ISR[0], partition.Leader, "the in-sync replica")
	}
	refused(list(ctx, "nowhere")["nowhere"].Err, kerr.UnknownTopicOrPartition)
}

func describeCluster(ctx context.Context) {
	metadata := got(admin.BrokerMetadata(ctx))
	equal(len(metadata.Brokers), 1, "brokers")
	equal(metadata.Controller, metadata.Brokers[0].NodeID, "controller")
	if metadata.Cluster == "" {
		fail("no cluster id")
	}
	c := client()
	defer c.Close()
	described := got(kmsg.NewPtrDescribeClusterRequest().RequestWith(ctx, c))
	equal(described.ClusterID, metadata.Cluster, "cluster id")
	equal(len(described.Brokers), 1, "brokers")
}

func apiVersions(ctx context.Context) {
	versions := got(admin.ApiVersions(ctx))
	equal(len(versions), 1, "brokers")
	for _, one := range versions {
		must(one.Err)
		if oldest, ok := one.KeyMinVersion(0); !ok || oldest != 0 {
			fail("Produce starts at %d", oldest)
		}
	}
}

func logDirectories(ctx context.Context) {
	found := false
	got(admin.DescribeAllLogDirs(ctx, nil)).Each(func(one kadm.DescribedLogDir) {
		must(one.Err)
		_, there := one.Topics.Lookup(topic, 0)
		found = found || there
	})
	if !found {
		fail("the topic's partition is not there")
	}
}

// ---- producing and consuming ----------------------------------------------------------------

func produceCodec(ctx context.Context, name string, options ...kgo.Opt) {
	records := make([]*kgo.Record, perCodec)
	for index := range records {
		records[index] = record(name, index)
	}
	must(produce(ctx, records, options...))
}

func produceAcks(ctx context.Context) {
	create(ctx, "acks", 1)
	must(produceOne(ctx, "acks", 0, nil, []byte("0"), plain, kgo.RequiredAcks(kgo.NoAck())))
	must(produceOne(ctx, "acks", 0, nil, []byte("1"), plain, kgo.RequiredAcks(kgo.LeaderAck())))
	equal(len(consume(ctx, kgo.NewOffset().AtStart(), "acks", map[int32]int{0: 2})[0]), 2, "records")
}

func countOf(partition int32) int {
	return (perCodec + partitions - 1 - int(partition)) / partitions * len(written)
}

func consumeAll(ctx context.Context) {
	read := consume(ctx, kgo.NewOffset().AtStart(), topic, map[int32]int{0: countOf(0), 1: countOf(1), 2: countOf(2)})
	for _, codec := range written {
		for index := range perCodec {
			wanted := record(codec, index)
			one := read[wanted.Partition][0]
			read[wanted.Partition] = read[wanted.Partition][1:]
			equal(text(one), text(wanted), fmt.Sprintf("%d of %s", index, codec))
			equal(one.Offset, int64(countOf(wanted.Partition)-len(read[wanted.Partition])-1), "offset")
		}
	}
}

func consumeSmallFetches(ctx context.Context) {
	create(ctx, "large", 1)
	value := random(250_000)
	for range 8 {
		must(produceOne(ctx, "large", 0, nil, value))
	}
	small := []kgo.Opt{kgo.FetchMaxPartitionBytes(1000), kgo.FetchMaxBytes(1000)}
	for _, r := range consume(ctx, kgo.NewOffset().AtStart(), "large", map[int32]int{0: 8}, small...)[0] {
		if !bytes.Equal(r.Value, value) {
			fail("the value at %d differs", r.Offset)
		}
	}
}

func consumeOutOfRange(ctx context.Context) {
	c := client(kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(1_000_000)}}))
	defer c.Close()
	for {
		err := c.PollFetches(ctx).Err()
		if err != nil {
			refused(err, kerr.OffsetOutOfRange)
			return
		}
	}
}

func consumeAfterTime(ctx context.Context) {
	from := kgo.NewOffset().AfterMilli(baseMs + 9500)
	equal(consume(ctx, from, topic, map[int32]int{1: 1})[1][0].Offset, 3, "the first offset")
}

// ---- offsets --------------------------------------------------------------------------------

func offsets(ctx context.Context) {
	start, end := got(admin.ListStartOffsets(ctx, topic)), got(admin.ListEndOffsets(ctx, topic))
	must(start.Error())
	must(end.Error())
	for partition := range int32(partitions) {
		equal(start[topic][partition].Offset, 0, "start")
		equal(end[topic][partition].Offset, int64(countOf(partition)), "end")
		equal(end[topic][partition].LeaderEpoch, 0, "leader epoch")
	}
	committed := got(admin.ListCommittedOffsets(ctx, topic))
	equal(committed[topic][0].Offset, int64(countOf(0)), "last stable offset")
}

func offsetsByTime(ctx context.Context) {
	found := got(admin.ListOffsetsAfterMilli(ctx, baseMs+9500, topic))[topic][1]
	equal(found.Offset, 3, "offset")
	equal(found.Timestamp, baseMs+10_000, "timestamp")
	found = got(admin.ListOffsetsAfterMilli(ctx, baseMs+10_000_000, topic))[topic][1]
	equal(found.Offset, int64(countOf(1)), "offset past the end (kadm gives the end)")
	found = got(admin.ListMaxTimestampOffsets(ctx, topic))[topic][0]
	equal(found.Offset, 33, "offset of the greatest timestamp")
	refused(got(admin.ListEndOffsets(ctx, "nowhere")).Error(), kerr.UnknownTopicOrPartition)
}

func offsetForLeaderEpoch(ctx context.Context) {
	request := kadm.OffsetForLeaderEpochRequest{}
	request.Add(topic, 0, 0)
	found := got(admin.OffsetForLeaderEpoch(ctx, request))[topic][0]
	must(found.Err)
	equal(found.EndOffset, int64(countOf(0)), "the end of epoch 0")
	equal(found.LeaderEpoch, 0, "the epoch")
}

// ---- configs --------------------------------------------------------------------------------

func config(ctx context.Context, name, key string) kadm.Config {
	described, err := got(admin.DescribeTopicConfigs(ctx, name)).On(name, nil)
	must(err)
	must(described.Err)
	for _, one := range described.Configs {
		if one.Key == key {
			return one
		}
	}
	fail("no config %s", key)
	return kadm.Config{}
}

func describeConfigs(ctx context.Context) {
	own := config(ctx, topic, "max.message.bytes")
	equal(*own.Value, "300000", "max.message.bytes")
	equal(own.Source, kmsg.ConfigSourceDynamicTopicConfig, "its source")
	other := config(ctx, topic, "cleanup.policy")
	equal(*other.Value, "delete", "cleanup.policy")
	equal(other.Source, kmsg.ConfigSourceDefaultConfig, "its source")
	unknown, _ := got(admin.DescribeTopicConfigs(ctx, "nowhere")).On("nowhere", nil)
	refused(unknown.Err, kerr.UnknownTopicOrPartition)
	node := got(admin.BrokerMetadata(ctx)).Brokers[0].NodeID
	if len(got(admin.DescribeBrokerConfigs(ctx, node))[0].Configs) == 0 {
		fail("the broker has no configs")
	}
}

func alter(ctx context.Context, name, key, value string, operation kadm.IncrementalOp) error {
	changes := []kadm.AlterConfig{{Op: operation, Name: key, Value: &value}}
	return got(admin.AlterTopicConfigs(ctx, changes, name))[0].Err
}

func alterIncremental(ctx context.Context) {
	must(alter(ctx, topic, "retention.bytes", "123456", kadm.SetConfig))
	must(alter(ctx, topic, "cleanup.policy", "compact", kadm.AppendConfig))
	equal(*config(ctx, topic, "retention.bytes").Value, "123456", "retention.bytes")
	equal(*config(ctx, topic, "cleanup.policy").Value, "delete,compact", "cleanup.policy")
	must(alter(ctx, topic, "cleanup.policy", "compact", kadm.SubtractConfig))
	must(alter(ctx, topic, "retention.bytes", "", kadm.DeleteConfig))
	equal(*config(ctx, topic, "retention.bytes").Value, "-1", "retention.bytes")
	refused(alter(ctx, topic, "no.such.config", "1", kadm.SetConfig), kerr.InvalidConfig)
	refused(alter(ctx, topic, "retention.ms", "soon", kadm.SetConfig), kerr.InvalidConfig)
	refused(alter(ctx, "nowhere", "retention.ms", "1", kadm.SetConfig), kerr.UnknownTopicOrPartition)
}

func alterReplacing(ctx context.Context) {
	create(ctx, "replaced", 1, "retention.ms", "5000")
	value := "70000"
	must(got(admin.AlterTopicConfigsState(ctx, []kadm.AlterConfig{{Name: "segment.ms", Value: &value}}, "replaced"))[0].Err)
	equal(*config(ctx, "replaced", "segment.ms").Value, "70000", "segment.ms")
	equal(*config(ctx, "replaced", "retention.ms").Value, "604800000", "retention.ms")
}

// ---- deleting -------------------------------------------------------------------------------

func deleteRecords(ctx context.Context) {
	asked := kadm.Offsets{}
	asked.AddOffset(topic, 0, 10, -1)
	asked.AddOffset(topic, 1, -1, -1)
	done := got(admin.DeleteRecords(ctx, asked))
	must(done.Error())
	equal(done[topic][0].LowWatermark, 10, "low watermark of 0")
	equal(done[topic][1].LowWatermark, int64(countOf(1)), "low watermark of 1")
	equal(got(admin.ListStartOffsets(ctx, topic))[topic][0].Offset, 10, "start")
	first := consume(ctx, kgo.NewOffset().AtStart(), topic, map[int32]int{0: 1})[0][0]
	equal(first.Offset, 10, "the first offset")
	asked = kadm.Offsets{}
	asked.AddOffset(topic, 2, 1_000_000, -1)
	refused(got(admin.DeleteRecords(ctx, asked)).Error(), kerr.OffsetOutOfRange)
}

func deleteTopic(ctx context.Context) {
	must(got(admin.DeleteTopics(ctx, topic)).Error())
	for tries := 50; list(ctx).Has(topic); tries-- {
		if !standIn || tries == 0 {
			fail("it is still listed")
		}
		time.Sleep(100 * time.Millisecond)
	}
	refused(got(admin.DeleteTopics(ctx, topic)).Error(), kerr.UnknownTopicOrPartition)
}

// ---- refusals -------------------------------------------------------------------------------

func refuseTooLarge(ctx context.Context) {
	refused(produceOne(ctx, topic, 0, nil, random(400_000), plain), kerr.MessageTooLarge)
	refused(produceOne(ctx, topic, 0, nil, random(400_000)), kerr.MessageTooLarge)
}

func refuseUnknown(ctx context.Context) {
	refused(produceOne(ctx, "nowhere", 0, nil, []byte("v"), kgo.UnknownTopicRetries(1)), kerr.UnknownTopicOrPartition)
	if list(ctx).Has("nowhere") {
		fail("it was created")
	}
}

// The library would look into its metadata; the request is made by hand so that the broker answers.
func refuseBadPartition(ctx context.Context) {
	c := client(kgo.MaxVersions(kversion.V3_7_0())) // topics by name, not by id
	defer c.Close()
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.TimeoutMillis = 9, -1, 1000
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = 99, []byte{}
	asked := kmsg.NewProduceRequestTopic()
	asked.Topic, asked.Partitions = topic, append(asked.Partitions, part)
	request.Topics = append(request.Topics, asked)
	response := got(c.Broker(int(got(admin.BrokerMetadata(ctx)).Brokers[0].NodeID)).Request(ctx, request))
	code := response.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode
	refused(kerr.ErrorForCode(code), kerr.UnknownTopicOrPartition)
	err := produceOne(ctx, topic, 99, nil, []byte("v"))
	if err == nil {
		fail("the library accepted partition 99")
	}
}

func refuseNullKey(ctx context.Context) {
	create(ctx, "compacted", 1, "cleanup.policy", "compact")
	refused(produceOne(ctx, "compacted", 0, nil, []byte("v")), kerr.InvalidRecord)
	must(produceOne(ctx, "compacted", 0, []byte("k"), nil))
}

func refuseLateTimestamp(ctx context.Context) {
	create(ctx, "punctual", 1, "message.timestamp.before.max.ms", "1000")
	refused(produceOne(ctx, "punctual", 0, nil, []byte("v")), kerr.InvalidTimestamp)
}

func main() {
	if len(os.Args) == 6 && os.Args[1] == "member" {
		runMember(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
		return
	}
	c := client()
	admin = kadm.NewClient(c)
	check("create-topic", createTopic)
	check("create-refused", createRefused)
	check("create-validate-only", createValidateOnly)
	if standIn {
		skip("create-three-replicas", "one Apache Kafka node refuses it, Millrace reports 1")
	} else {
		check("create-three-replicas", createThreeReplicas)
	}
	check("create-partitions", createPartitions)
	check("list-topic", listTopic)
	check("describe-cluster", describeCluster)
	check("api-versions", apiVersions)
	check("describe-log-directories", logDirectories)
	for _, codec := range written[:5] {
		check("produce-"+codec, func(ctx context.Context) {
			produceCodec(ctx, codec, plain, kgo.ProducerBatchCompression(codecs[codec]))
		})
	}
	check("produce-idempotent", func(ctx context.Context) {
		produceCodec(ctx, "idempotent", kgo.ProducerBatchMaxBytes(2000))
	})
	check("produce-acks-0-and-1", produceAcks)
	check("consume-all", consumeAll)
	check("consume-small-fetches", consumeSmallFetches)
	check("consume-out-of-range", consumeOutOfRange)
	check("consume-after-time", consumeAfterTime)
	check("offsets", offsets)
	check("offsets-by-time", offsetsByTime)
	check("offset-for-leader-epoch", offsetForLeaderEpoch)
	check("describe-configs", describeConfigs)
	check("alter-configs-incremental", alterIncremental)
	check("alter-configs-replacing", alterReplacing)
	check("delete-records", deleteRecords)
	check("refuse-too-large", refuseTooLarge)
	check("refuse-unknown-topic", refuseUnknown)
	check("refuse-bad-partition", refuseBadPartition)
	check("refuse-null-key-compacted", refuseNullKey)
	check("refuse-late-timestamp", refuseLateTimestamp)
	check("delete-topic", deleteTopic)
	checkContracts()
	checkGroups()
	c.Close()
	if failures > 0 {
		os.Exit(1)
	}
}
