import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.MemberDescription;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.GroupSubscribedToTopicException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Groups: members come and go in both protocols, and go on where they were. */
final class Groups {
    private static final int PARTITIONS = 6;
    private static final int RECORDS = 300;
    private static final int TIMEOUT_S = 30;
    private static final Map<String, Map<String, Object>> PROTOCOLS = new TreeMap<>(Map.of(
        "classic", Map.of("group.protocol", "classic", "session.timeout.ms", 6000,
            "heartbeat.interval.ms", 500),
        "cooperative", Map.of("group.protocol", "classic", "session.timeout.ms", 6000,
            "heartbeat.interval.ms", 500, "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"),
        "consumer", Map.of("group.protocol", "consumer")));
    private static final Admin admin = Suite.admin;

    // ---- members -----------------------------------------------------------------------------

    /** A consumer that subscribes, and what it has read. */
    private static final class Member implements AutoCloseable, ConsumerRebalanceListener {
        final KafkaConsumer<String, String> consumer;
        final Set<Integer> owned = new TreeSet<>();
        final Set<String> read = new HashSet<>();
        final Set<Integer> values = new TreeSet<>();
        int revoked = 0;

        Member(String group, String topic, String protocol, Map<String, Object> more) {
            Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", Suite.BOOTSTRAP,
                "group.id", group, "auto.offset.reset", "earliest", "enable.auto.commit", false));
            config.putAll(PROTOCOLS.get(protocol));
            config.putAll(more);
            consumer = new KafkaConsumer<>(config, new StringDeserializer(),
                new StringDeserializer());
            consumer.subscribe(List.of(topic), this);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            partitions.forEach(p -> owned.add(p.partition()));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            consumer.commitSync();
            partitions.forEach(p -> owned.remove(p.partition()));
            revoked += partitions.size();
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            partitions.forEach(p -> owned.remove(p.partition()));
        }

        void take() {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(50))) {
                Suite.isTrue(read.add(record.partition() + "/" + record.offset()),
                    "a record came twice to one member");
                values.add(Integer.parseInt(record.value()));
            }
        }

        @Override
        public void close() {
            consumer.close();
        }
    }

    /** Polls the members meanwhile: they take part in rebalances only then. */
    private static void until(String what, List<Member> members, BooleanSupplier holds) {
        long deadline = System.nanoTime() + TIMEOUT_S * 1_000_000_000L;
        while (!holds.getAsBoolean()) {
            Suite.isTrue(System.nanoTime() < deadline, what + " did not happen in time");
            members.forEach(Member::take);
        }
    }

    private static String newTopic(String name) throws Exception {
        Suite.get(admin.createTopics(List.of(new NewTopic(name, PARTITIONS, (short) 1))).all());
        return name;
    }

    private static void produce(String topic, int first, int count) {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", Suite.BOOTSTRAP), new StringSerializer(),
                new StringSerializer())) {
            for (int index = first; index < first + count; index++) {
                producer.send(new ProducerRecord<>(topic, index % PARTITIONS, null, "" + index));
            }
        }
    }

    private static Set<Integer> range(int from, int to) {
        return IntStream.range(from, to).boxed().collect(Collectors.toCollection(TreeSet::new));
    }

    // ---- checks ------------------------------------------------------------------------------

    private static void goesOn(String protocol) throws Exception {
        String topic = newTopic("groups-resume-" + protocol);
        produce(topic, 0, RECORDS);
        try (Member first = new Member(topic, topic, protocol, Map.of())) {
            until("reading all", List.of(first), () -> first.values.size() == RECORDS);
            first.consumer.commitSync();
        }
        produce(topic, RECORDS, 60);
        try (Member second = new Member(topic, topic, protocol, Map.of())) {
            until("reading the rest", List.of(second), () -> second.values.size() >= 60);
            Suite.equal(second.values, range(RECORDS, RECORDS + 60), "the rest");
        }
    }

    private static boolean shares(List<Member> members) {
        Set<Integer> all = new TreeSet<>();
        members.forEach(m -> all.addAll(m.owned));
        int sum = members.stream().mapToInt(m -> m.owned.size()).sum();
        return all.size() == PARTITIONS && sum == PARTITIONS
            && members.stream().noneMatch(m -> m.owned.isEmpty());
    }

    private static void sharesAndTakesOver(String protocol) throws Exception {
        String topic = newTopic("groups-share-" + protocol);
        List<Member> members = new ArrayList<>();
        for (int count = 1; count <= 3; count++) {
            members.add(new Member(topic, topic, protocol, Map.of()));
            until(count + " members share", members, () -> shares(members));
        }
        produce(topic, 0, RECORDS);
        until("reading all", members,
            () -> members.stream().mapToInt(m -> m.values.size()).sum() >= RECORDS);
        Suite.equal(members.stream().mapToInt(m -> m.values.size()).sum(), RECORDS,
            "records, each once");
        members.forEach(m -> m.consumer.commitSync());
        members.remove(0).close();
        members.remove(0).close();
        Member last = members.get(0);
        until("the last one has all", members, () -> last.owned.size() == PARTITIONS);
        int before = last.values.size();
        produce(topic, RECORDS, 60);
        until("reading the rest", members, () -> last.values.size() >= before + 60);
        Suite.equal(last.values.size(), before + 60, "records, each once");
        last.close();
    }

    private static void staticMember(String protocol) throws Exception {
        String topic = newTopic("groups-static-" + protocol);
        List<Member> members = new ArrayList<>();
        for (String name : List.of("one", "two")) {
            members.add(new Member(topic, topic, protocol, Map.of("group.instance.id", name)));
        }
        until("both share", members, () -> shares(members));
        Set<Integer> owned = new TreeSet<>(members.get(1).owned);
        int revoked = members.get(0).revoked;
        members.remove(1).close();
        Member back = new Member(topic, topic, protocol, Map.of("group.instance.id", "two"));
        members.add(back);
        until("it has the same again", members, () -> back.owned.equals(owned));
        Suite.equal(members.get(0).revoked, revoked, "what the other one had to give up");
        members.forEach(Member::close);
        if (protocol.equals("classic")) { // they are members until an admin says otherwise
            Suite.get(admin.removeMembersFromConsumerGroup(topic,
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one"),
                    new MemberToRemove("two")))).all());
            Suite.equal(describe(topic).groupState(), GroupState.EMPTY, "the state");
        }
    }

    private static ConsumerGroupDescription describe(String group) throws Exception {
        return Suite.get(admin.describeConsumerGroups(List.of(group)).all()).get(group);
    }

    private static Map<TopicPartition, Long> offsets(String group) throws Exception {
        Map<TopicPartition, Long> result = new HashMap<>();
        for (Map.Entry<TopicPartition, OffsetAndMetadata> entry : Suite.get(
                admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata()).entrySet()) {
            result.put(entry.getKey(), entry.getValue().offset());
        }
        return result;
    }

    private static void adminSees(String protocol) throws Exception {
        String topic = newTopic("groups-admin-" + protocol);
        TopicPartition third = new TopicPartition(topic, 3);
        produce(topic, 0, 60);
        try (Member member = new Member(topic, topic, protocol, Map.of("client.id", "it"))) {
            until("reading all", List.of(member), () -> member.values.size() == 60);
            member.consumer.commitSync(Map.of(third, new OffsetAndMetadata(7, "words")));
            member.consumer.commitSync();
            GroupListing listed = Suite.get(admin.listGroups().valid()).stream()
                .filter(g -> g.groupId().equals(topic)).findFirst().orElseThrow();
            Suite.equal(listed.groupState().orElseThrow(), GroupState.STABLE, "the listed state");
            Suite.equal(listed.type().orElseThrow().toString(),
                protocol.equals("consumer") ? "Consumer" : "Classic", "the listed type");
            ConsumerGroupDescription described = describe(topic);
            Suite.equal(described.groupState(), GroupState.STABLE, "the described state");
            MemberDescription one = described.members().iterator().next();
            Suite.equal(one.clientId(), "it", "the client's id");
            Suite.equal(one.host(), "/127.0.0.1", "the client's host");
            Suite.equal(one.assignment().topicPartitions().size(), PARTITIONS, "the assignment");
            Suite.refused(GroupNotEmptyException.class,
                () -> Suite.get(admin.deleteConsumerGroups(List.of(topic)).all()));
            Suite.refused(GroupSubscribedToTopicException.class, () -> Suite.get(
                admin.deleteConsumerGroupOffsets(topic, Set.of(third)).all()));
        }
        Suite.equal(offsets(topic).get(third), 10L, "the offset");
        Suite.get(admin.alterConsumerGroupOffsets(topic,
            Map.of(third, new OffsetAndMetadata(4))).all());
        Suite.equal(offsets(topic).get(third), 4L, "the moved offset");
        Suite.get(admin.deleteConsumerGroupOffsets(topic, Set.of(third)).all());
        Suite.equal(offsets(topic).size(), PARTITIONS - 1, "offsets left");
        Suite.get(admin.deleteConsumerGroups(List.of(topic)).all());
        Suite.isTrue(Suite.get(admin.listGroups().valid()).stream()
            .noneMatch(g -> g.groupId().equals(topic)), "the group is still listed");
    }

    /** The two first of these names exist when it subscribes, the third comes later. */
    private static void patterns() throws Exception {
        newTopic("groups-pattern-a");
        newTopic("groups-pattern-b");
        newTopic("not-groups-pattern");
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", Suite.BOOTSTRAP,
            "group.id", "groups-pattern", "group.protocol", "consumer"));
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(config,
                new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(
                new org.apache.kafka.clients.consumer.SubscriptionPattern("groups-pattern-[a-c]"));
            awaitTopics(consumer, Set.of("groups-pattern-a", "groups-pattern-b"));
            newTopic("groups-pattern-c");
            awaitTopics(consumer, Set.of("groups-pattern-a", "groups-pattern-b",
                "groups-pattern-c"));
        }
    }

    private static void awaitTopics(KafkaConsumer<String, String> consumer, Set<String> wanted) {
        until("owning " + wanted, List.of(), () -> {
            consumer.poll(Duration.ofMillis(50));
            return consumer.assignment().stream().map(TopicPartition::topic)
                .collect(Collectors.toSet()).equals(wanted);
        });
    }

    private static void groupConfigs() throws Exception {
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, "groups-config");
        ConfigEntry entry = new ConfigEntry("consumer.session.timeout.ms", "50000");
        Suite.get(admin.incrementalAlterConfigs(Map.of(group, List.of(
            new AlterConfigOp(entry, AlterConfigOp.OpType.SET)))).all());
        Suite.equal(Suite.get(admin.describeConfigs(List.of(group)).all()).get(group)
            .get("consumer.session.timeout.ms").value(), "50000", "the group's own time-out");
    }

    static void run() {
        for (String protocol : PROTOCOLS.keySet()) {
            Suite.check("group-goes-on-" + protocol, () -> goesOn(protocol));
            Suite.check("group-shares-" + protocol, () -> sharesAndTakesOver(protocol));
        }
        for (String protocol : List.of("classic", "consumer")) {
            Suite.check("group-static-" + protocol, () -> staticMember(protocol));
            Suite.check("group-admin-" + protocol, () -> adminSees(protocol));
        }
        Suite.check("group-patterns", Groups::patterns);
        Suite.check("group-configs", Groups::groupConfigs);
    }

    private Groups() {
    }
}
