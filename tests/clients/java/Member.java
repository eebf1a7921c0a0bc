import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * One member of a group for tests/faults/groups: what it says is described in
 * tests/faults/group_member.py. Arguments: ADDRESS GROUP TOPIC PROTOCOL.
 */
final class Member implements ConsumerRebalanceListener {
    private static final long COMMIT_EVERY_NS = 200_000_000L;
    private static final Map<String, Map<String, Object>> PROTOCOLS = Map.of(
        "classic", Map.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 300),
        "cooperative", Map.of("session.timeout.ms", 6000, "heartbeat.interval.ms", 300,
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"),
        "consumer", Map.of("group.protocol", "consumer"));

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
    private volatile boolean goesOn = true;

    private Member(String address, String group, String protocol) {
        Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", address, "group.id",
            group, "auto.offset.reset", "earliest", "enable.auto.commit", false,
            "fetch.max.wait.ms", 100, "reconnect.backoff.ms", 10, "reconnect.backoff.max.ms", 100));
        config.putAll(PROTOCOLS.get(protocol));
        consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(),
            new ByteArrayDeserializer());
    }

    /** Of the machine's monotonic clock, as all others say it. */
    private static String now() {
        return String.format(Locale.ROOT, "%.6f", System.nanoTime() / 1e9);
    }

    private static void say(String event) {
        System.out.println(event);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        partitions.forEach(next::remove);
        say("[\"given\", " + now() + ", " + partitions.stream().map(TopicPartition::partition)
            .toList() + "]");
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commit();
        partitions.forEach(next::remove);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> partitions) {
        partitions.forEach(next::remove);
    }

    /** A refusal is part of life here. */
    private void commit() {
        if (next.isEmpty()) {
            return;
        }
        try {
            consumer.commitSync(next, Duration.ofSeconds(5));
        } catch (WakeupException ending) {
            throw ending;
        } catch (KafkaException refused) {
            return;
        }
        say("[\"committed\", " + now() + ", " + next.entrySet().stream()
            .map(e -> "\"" + e.getKey().partition() + "\": " + e.getValue().offset())
            .collect(Collectors.joining(", ", "{", "}")) + "]");
    }

    private void take() {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(50))) {
            say("[\"read\", " + record.partition() + ", " + record.offset() + "]");
            next.put(new TopicPartition(record.topic(), record.partition()),
                new OffsetAndMetadata(record.offset() + 1));
        }
    }

    private void run(String topic) {
        consumer.subscribe(List.of(topic), this);
        long nextCommit = 0;
        while (goesOn) {
            take();
            if (System.nanoTime() > nextCommit) {
                commit();
                nextCommit = System.nanoTime() + COMMIT_EVERY_NS;
            }
        }
        commit();
        consumer.close();
    }

    public static void main(String[] arguments) {
        Member member = new Member(arguments[0], arguments[1], arguments[3]);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            member.goesOn = false;
            try {
                main.join();
            } catch (InterruptedException ending) {
                Thread.currentThread().interrupt();
            }
        }));
        member.run(arguments[2]);
    }
}
