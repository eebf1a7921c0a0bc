import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The producer after a batch with a record that breaks its topic's contract. */
final class Contracts {
    private static final String REGISTRY = System.getenv("MILLRACE_REGISTRY");
    private static final String ORDER = "syntax = \\\"proto3\\\"; package shop; "
        + "message Order { string id = 1; int32 count = 2; }";
    private static final byte[] GOOD = {0x0a, 1, 'a', 0x10, 7};
    private static final byte[] BAD = {0x0a, 1, 'a', 0x12, 2, 'z', 'z'};
    private static final String BROKEN = "InvalidRecordException: record 1: Order.count: expected "
        + "varint (int32), found 2 bytes length-delimited (schema id ";
    private static final String MATE = "KafkaException: Failed to append record because it was "
        + "part of a batch which had one more more invalid records";
    private static final int TIMEOUT_S = 30;

    private static int schemaId() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(REGISTRY
            + "/subjects/orders/versions"))
            .header("Content-Type", "application/vnd.schemaregistry.v1+json")
            .POST(HttpRequest.BodyPublishers.ofString(
                "{\"schemaType\": \"PROTOBUF\", \"schema\": \"" + ORDER + "\"}")).build();
        String answer = HttpClient.newHttpClient()
            .send(request, HttpResponse.BodyHandlers.ofString()).body();
        Matcher id = Pattern.compile("\"id\": *(\\d+)").matcher(answer);
        if (!id.find()) throw new AssertionError(answer);
        return Integer.parseInt(id.group(1));
    }

    /** One batch; what each record is told: an offset or an error's words. */
    private static List<String> send(KafkaProducer<byte[], byte[]> producer, String topic, int id,
            byte[]... payloads) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        List<String> told = new ArrayList<>();
        for (byte[] payload : payloads)
            sent.add(producer.send(new ProducerRecord<>(topic, 0, null, ByteBuffer
                .allocate(6 + payload.length).put((byte) 0).putInt(id).put((byte) 0).put(payload)
                .array())));
        for (Future<RecordMetadata> one : sent) {
            try {
                told.add("" + one.get(TIMEOUT_S, TimeUnit.SECONDS).offset());
            } catch (ExecutionException error) {
                Throwable cause = error.getCause();
                told.add(cause.getClass().getSimpleName() + ": " + cause.getMessage());
            }
        }
        return told;
    }

    private static void goesOn(boolean idempotent) throws Exception {
        String topic = "contract-" + (idempotent ? "idempotent" : "plain");
        int id = schemaId();
        Suite.admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1).configs(Map.of(
            "millrace.value.contract", "payload", "millrace.value.subject", "orders")))).all().get();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(Map.of(
                "bootstrap.servers", Suite.BOOTSTRAP, "linger.ms", 100, "enable.idempotence",
                idempotent), new ByteArraySerializer(), new ByteArraySerializer())) {
            Suite.equal(send(producer, topic, id, GOOD), List.of("0"), "a good one");
            Suite.equal(send(producer, topic, id, GOOD, BAD, GOOD),
                List.of(MATE, BROKEN + id + ")", MATE), "one bad of three");
            Suite.equal(send(producer, topic, id, GOOD, GOOD), List.of("1", "2"), "the next");
            Suite.equal(send(producer, topic, id, GOOD), List.of("3"), "the last");
        }
    }

    static void run() {
        if (REGISTRY == null || REGISTRY.isEmpty()) return;
        Suite.check("contract-plain", () -> goesOn(false));
        Suite.check("contract-idempotent", () -> goesOn(true));
    }

    private Contracts() {}
}
