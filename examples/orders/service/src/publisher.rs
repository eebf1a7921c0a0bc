//! Publishes Protobuf messages, each answered for by the broker.
//!
//! Payloads are bare messages (`framing=raw` in the topic's contract): the broker knows which message
//! the topic takes and checks every byte of it, so a producer needs no registry and no schema id.

use std::sync::mpsc::{channel, Sender};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};

/// Where a record is. The broker has it on disk.
#[derive(Debug)]
pub struct Published {
    pub partition: i32,
    pub offset: i64,
}

/// Any number of threads may publish at the same time; their records share batches.
pub struct Publisher {
    producer: ThreadedProducer<Reports>,
}

impl Publisher {
    pub fn new(bootstrap_servers: &str, client_id: &str) -> KafkaResult<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap_servers)
            .set("client.id", client_id)
            .set("enable.idempotence", "true")
            .set("delivery.timeout.ms", "30000")
            .create_with_context(Reports)?;
        Ok(Self { producer })
    }

    /// Waits until the broker has the message or has refused it, or the delivery time-out is over.
    pub fn publish(
        &self,
        topic: &str,
        key: &str,
        message: &impl prost::Message,
    ) -> KafkaResult<Published> {
        let payload = message.encode_to_vec();
        let (report, reported) = channel();
        let record = BaseRecord::with_opaque_to(topic, Box::new(report))
            .key(key)
            .payload(&payload);
        self.producer.send(record).map_err(|(error, _)| error)?;
        reported.recv().expect("every record is reported on")
    }
}

/// Whether a record breaks its topic's contract, so that it will never be accepted. Which field it
/// is, the broker has said; librdkafka keeps that to itself, `millrace reject list` does not.
/// Records that only shared a batch with such a one have another error, and may be sent again.
pub fn breaks_contract(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidRecord)
}

/// Hands each delivery report to the thread that waits for it.
struct Reports;

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Sender<KafkaResult<Published>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Self::DeliveryOpaque) {
        let outcome = match result {
            Ok(record) => Ok(Published {
                partition: record.partition(),
                offset: record.offset(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        let _ = report.send(outcome); // nobody waits when that thread has died
    }
}
