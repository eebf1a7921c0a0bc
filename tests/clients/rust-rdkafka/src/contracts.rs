//! prost messages to topics with a contract, framed as Confluent's serializers do and bare: what is
//! accepted, and what becomes of each record of a batch that is not.

use std::env;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex};

use prost::Message as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::topic_partition_list::Offset;
use rdkafka::ClientContext;
use serde_json::{json, Value};

use crate::{check, equal, Suite, TIMEOUT};

mod shop {
    include!(concat!(env!("OUT_DIR"), "/shop.rs"));
}

/// The program of docs/contracts.md, which prints what it is told.
pub mod guide {
    include!(concat!(env!("OUT_DIR"), "/guide.rs"));

    pub fn run() {
        main()
    }
}

use shop::{Item, Note, Order};

const REFUSED: Told = Err(Code::InvalidRecord);
const MATE: Told = Err(Code::InvalidDifferentRecord); // a good record in a bad batch
const CONTRACT: &str = include_str!("../order.proto");
const IDEMPOTENT: [(&str, &str); 1] = [("enable.idempotence", "true")];
const NOTE_PATH: [u8; 2] = [2, 2]; // one index, 1, as zigzag varints
const ORDER_PATH: [u8; 1] = [0]; // short for the first message

// ---- the registry ---------------------------------------------------------------------------

/// The answer to a POST, which has to be a good one.
fn post(path: &str, body: &Value) -> Value {
    let registry = env::var("MILLRACE_REGISTRY").expect("MILLRACE_REGISTRY");
    let address = registry.strip_prefix("http://").expect("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).expect("JSON")
}

fn register(subject: &str, contract: &str) -> u32 {
    let body = json!({"schemaType": "PROTOBUF", "schema": contract});
    let answer = post(&format!("/subjects/{subject}/versions"), &body);
    answer["id"].as_u64().expect("an id") as u32
}

/// Magic byte, schema id, the message's index path, payload.
fn framed(id: u32, path: &[u8], message: &impl prost::Message) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend(id.to_be_bytes());
    frame.extend(path);
    message.encode(&mut frame).expect("room");
    frame
}

// ---- messages -------------------------------------------------------------------------------

fn good() -> Order {
    let item = Item {
        sku: "tea".to_string(),
        qty: 2,
    };
    Order {
        id: "o-1".to_string(),
        items: vec![item.clone(), item],
    }
}

/// An order whose quantities are texts.
#[derive(Clone, PartialEq, prost::Message)]
struct OldOrder {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(message, repeated, tag = "2")]
    items: Vec<OldItem>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OldItem {
    #[prost(string, tag = "2")]
    qty: String,
}

fn bad() -> OldOrder {
    let fine = OldItem::default(); // proto3 does not write what is empty
    let wrong = OldItem {
        qty: "two".to_string(),
    };
    OldOrder {
        id: "o-2".to_string(),
        items: vec![fine, wrong],
    }
}

// ---- producing ------------------------------------------------------------------------------

/// What becomes of a record: its offset, or an error. (librdkafka 2.12 has a call for the broker's
/// words as well, rd_kafka_message_produce_errstr(): what it returns has been freed.)
type Told = Result<i64, Code>;

/// Outcomes by the number that each record carries.
#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<Option<Told>>>>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, at: usize) {
        let told = match result {
            Ok(record) => Ok(record.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().expect("a code")),
        };
        self.0.lock().unwrap()[at] = Some(told);
    }
}

struct Orders {
    topic: String,
    reports: Reports,
    producer: ThreadedProducer<Reports>,
}

impl Orders {
    /// A producer, to a new topic with a contract.
    fn new(s: &Suite, topic: &str, contract: &[(&str, &str)], config: &[(&str, &str)]) -> Self {
        let mut configs = vec![("millrace.value.contract", "payload")];
        configs.extend(contract);
        s.create(topic, 1, &configs);
        let reports = Reports::default();
        let producer = s
            .config(config)
            .set("linger.ms", "100") // so that one send() is one batch
            .create_with_context(reports.clone())
            .expect("a producer");
        Self {
            topic: topic.to_string(),
            reports,
            producer,
        }
    }

    /// One batch, and what is told about each of its records.
    fn send(&self, payloads: &[&[u8]]) -> Vec<Told> {
        *self.reports.0.lock().unwrap() = vec![None; payloads.len()];
        for (at, payload) in payloads.iter().enumerate() {
            let record: BaseRecord<'_, (), [u8], usize> =
                BaseRecord::with_opaque_to(&self.topic, at).payload(payload);
            self.producer
                .send(record)
                .map_err(|(e, _)| e)
                .expect("room");
        }
        self.producer.flush(TIMEOUT).expect("a flush");
        let told = std::mem::take(&mut *self.reports.0.lock().unwrap());
        told.into_iter().map(|one| one.expect("a report")).collect()
    }
}

// ---- checks ---------------------------------------------------------------------------------

fn goes_on(s: &Suite, topic: &str, config: &[(&str, &str)]) {
    let id = register(&format!("{topic}-value"), CONTRACT);
    let orders = Orders::new(s, topic, &[], config);
    let (good, bad) = (
        framed(id, &ORDER_PATH, &good()),
        framed(id, &ORDER_PATH, &bad()),
    );
    let (good, bad) = (&good[..], &bad[..]);
    equal(orders.send(&[good]), vec![Ok(0)], "a good one");
    equal(
        orders.send(&[good, bad, good]),
        vec![MATE, REFUSED, MATE],
        "one bad of three",
    );
    equal(orders.send(&[good, good]), vec![Ok(1), Ok(2)], "the next");
    equal(
        orders.send(&[bad, good, bad]),
        vec![REFUSED, MATE, REFUSED],
        "two bad of three",
    );
    equal(orders.send(&[bad]), vec![REFUSED], "alone");
    equal(orders.send(&[good]), vec![Ok(3)], "the last");
    read_back(s, topic, 4, good.len() - good_len());
}

fn good_len() -> usize {
    good().encoded_len()
}

/// All of a topic are good orders, behind so many bytes of framing.
fn read_back(s: &Suite, topic: &str, count: usize, framing: usize) {
    let read = s
        .consume(topic, &[0], Offset::Beginning, &[])
        .expect("records");
    equal(read.len(), count, "records");
    for record in read {
        let payload = record.payload().expect("a payload");
        equal(Order::decode(&payload[framing..]), Ok(good()), "an order");
    }
}

fn other_messages(s: &Suite) {
    let (any, one) = ("contract-any-message", "contract-one-message");
    let id = register(&format!("{any}-value"), CONTRACT);
    equal(
        register(&format!("{one}-value"), CONTRACT),
        id,
        "the id elsewhere",
    );
    let note = Note {
        text: "n".to_string(),
    };
    let note = framed(id, &NOTE_PATH, &note);
    let order = framed(id, &ORDER_PATH, &good());
    let orders = Orders::new(s, any, &[], &[]);
    equal(orders.send(&[&note, &order]), vec![Ok(0), Ok(1)], "both");
    let only = [("millrace.value.message", "shop.Order")];
    let orders = Orders::new(s, one, &only, &[]);
    equal(orders.send(&[&order]), vec![Ok(0)], "the order");
    equal(orders.send(&[&note]), vec![REFUSED], "the note");
}

fn bare(s: &Suite) {
    register("contract-bare-value", CONTRACT);
    let raw = [
        ("millrace.value.framing", "raw"),
        ("millrace.value.message", "shop.Order"),
    ];
    let orders = Orders::new(s, "contract-bare", &raw, &IDEMPOTENT);
    let (good, bad) = (good().encode_to_vec(), bad().encode_to_vec());
    equal(orders.send(&[&good]), vec![Ok(0)], "a good one");
    equal(
        orders.send(&[&good, &bad]),
        vec![MATE, REFUSED],
        "one bad of two",
    );
    equal(orders.send(&[&good]), vec![Ok(1)], "the next");
    read_back(s, "contract-bare", 2, 0);
}

fn the_guide(s: &Suite) {
    let contract = include_str!(concat!(env!("OUT_DIR"), "/guide.proto"));
    register("orders-value", contract);
    let raw = [
        ("millrace.value.contract", "payload"),
        ("millrace.value.framing", "raw"),
        ("millrace.value.message", "shop.Order"),
    ];
    s.create("orders", 1, &raw);
    let itself = env::current_exe().expect("a path");
    let done = Command::new(itself).arg("guide").output().expect("a run");
    let said = String::from_utf8_lossy(&done.stdout);
    equal(
        said.trim(),
        "Message production error: InvalidRecord (Broker: Broker failed to validate record)",
        "what it prints",
    );
}

pub fn checks(f: &mut u32, s: &Suite) {
    if env::var("MILLRACE_REGISTRY").map_or(true, |registry| registry.is_empty()) {
        println!("skip contracts: there is no registry");
        return;
    }
    check(f, "contract-plain", || goes_on(s, "contract-plain", &[]));
    check(f, "contract-idempotent", || {
        goes_on(s, "contract-idempotent", &IDEMPOTENT)
    });
    check(f, "contract-messages", || other_messages(s));
    check(f, "contract-bare", || bare(s));
    check(f, "contract-guide", || the_guide(s));
}
