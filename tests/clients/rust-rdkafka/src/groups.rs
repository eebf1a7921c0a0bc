//! Groups: members come and go in both protocols, and go on where they were.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, RebalanceProtocol,
};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::ClientContext;
use std::sync::Mutex;

use crate::{equal, Suite, TIMEOUT};

const PARTITIONS: i32 = 6;
const RECORDS: i32 = 300;
const LIMIT: Duration = Duration::from_secs(30);

/// What a protocol is called here, and its settings.
type Protocol = (&'static str, &'static [(&'static str, &'static str)]);

const PROTOCOLS: [Protocol; 3] = [
    (
        "classic",
        &[
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "500"),
        ],
    ),
    (
        "cooperative",
        &[
            ("session.timeout.ms", "6000"),
            ("heartbeat.interval.ms", "500"),
            ("partition.assignment.strategy", "cooperative-sticky"),
        ],
    ),
    ("consumer", &[("group.protocol", "consumer")]),
];

// ---- members --------------------------------------------------------------------------------

/// What a member owns, kept by its rebalances.
#[derive(Default)]
struct Owned(Mutex<BTreeSet<i32>>);

impl ClientContext for Owned {}

impl ConsumerContext for Owned {
    /// What was read of the partitions that go is committed, and what is owned is known.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions: Vec<i32> = list.elements().iter().map(|e| e.partition()).collect();
        let eager = !matches!(
            consumer.rebalance_protocol(),
            RebalanceProtocol::Cooperative
        );
        let mut owned = self.0.lock().unwrap();
        if matches!(error, RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
            owned.extend(partitions);
            if eager {
                consumer.assign(list).expect("assign");
            } else {
                consumer.incremental_assign(list).expect("assign");
            }
        } else {
            owned.retain(|p| !partitions.contains(p));
            let _ = consumer.commit_consumer_state(CommitMode::Sync);
            if eager {
                consumer.unassign().expect("unassign");
            } else {
                consumer.incremental_unassign(list).expect("unassign");
            }
        }
    }

    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {}
}

struct Member {
    consumer: BaseConsumer<Owned>,
    read: BTreeMap<(i32, i64), i32>,
}

impl Member {
    fn new(s: &Suite, topic: &str, protocol: &Protocol) -> Self {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &s.bootstrap)
            .set("group.id", topic)
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false");
        for (key, value) in protocol.1 {
            config.set(*key, *value);
        }
        let consumer: BaseConsumer<Owned> = config
            .create_with_context(Owned::default())
            .expect("a consumer");
        consumer.subscribe(&[topic]).expect("subscribe");
        Member {
            consumer,
            read: BTreeMap::new(),
        }
    }

    fn take(&mut self) {
        let Some(result) = self.consumer.poll(Duration::from_millis(50)) else {
            return;
        };
        let message = result.expect("a message");
        let value = std::str::from_utf8(message.payload().unwrap()).unwrap();
        let place = (message.partition(), message.offset());
        let before = self.read.insert(place, value.parse().unwrap());
        equal(before, None, "a record that came before");
    }

    fn owned(&self) -> BTreeSet<i32> {
        self.consumer.context().0.lock().unwrap().clone()
    }

    fn commit(&self) {
        self.consumer
            .commit_consumer_state(CommitMode::Sync)
            .expect("a commit");
    }
}

/// Polls the members meanwhile: they take part in rebalances only then.
fn until(what: &str, members: &mut [Member], holds: impl Fn(&[Member]) -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds(members) {
        assert!(Instant::now() < end, "{what} did not happen in time");
        members.iter_mut().for_each(Member::take);
    }
}

fn count(members: &[Member]) -> usize {
    members.iter().map(|m| m.read.len()).sum()
}

fn values(members: &[Member]) -> Vec<i32> {
    let mut all: Vec<i32> = members
        .iter()
        .flat_map(|m| m.read.values().copied())
        .collect();
    all.sort_unstable();
    all
}

fn share(members: &[Member]) -> bool {
    let owned: Vec<BTreeSet<i32>> = members.iter().map(Member::owned).collect();
    let all: BTreeSet<i32> = owned.iter().flatten().copied().collect();
    let sum: usize = owned.iter().map(BTreeSet::len).sum();
    owned.iter().all(|o| !o.is_empty()) && all.len() == PARTITIONS as usize && sum == all.len()
}

fn produce(s: &Suite, topic: &str, first: i32, count: i32) {
    let producer: ThreadedProducer<_> = ClientConfig::new()
        .set("bootstrap.servers", &s.bootstrap)
        .create()
        .expect("a producer");
    for index in first..first + count {
        let text = index.to_string();
        let record = BaseRecord::<(), str>::to(topic)
            .partition(index % PARTITIONS)
            .payload(&text);
        producer.send(record).map_err(|(e, _)| e).expect("sent");
    }
    producer.flush(TIMEOUT).expect("delivered");
}

// ---- checks ---------------------------------------------------------------------------------

pub fn goes_on(s: &Suite, protocol: &Protocol) {
    let topic = format!("groups-resume-{}", protocol.0);
    s.create(&topic, PARTITIONS, &[]);
    produce(s, &topic, 0, RECORDS);
    let mut first = [Member::new(s, &topic, protocol)];
    until("reading all", &mut first, |m| count(m) >= RECORDS as usize);
    equal(values(&first), (0..RECORDS).collect(), "what was read");
    first[0].commit();
    drop(first);
    produce(s, &topic, RECORDS, 60);
    let mut second = [Member::new(s, &topic, protocol)];
    until("reading the rest", &mut second, |m| count(m) >= 60);
    equal(
        values(&second),
        (RECORDS..RECORDS + 60).collect(),
        "the rest",
    );
}

pub fn shares(s: &Suite, protocol: &Protocol) {
    let topic = format!("groups-share-{}", protocol.0);
    s.create(&topic, PARTITIONS, &[]);
    let mut members = vec![];
    for _ in 0..3 {
        members.push(Member::new(s, &topic, protocol));
        until("sharing", &mut members, share);
    }
    produce(s, &topic, 0, RECORDS);
    until("reading all", &mut members, |m| {
        count(m) >= RECORDS as usize
    });
    equal(
        values(&members),
        (0..RECORDS).collect(),
        "records, each once",
    );
    members.iter().for_each(Member::commit);
    members.remove(0);
    members.remove(0);
    until("the last one has all", &mut members, share);
    let before = count(&members);
    produce(s, &topic, RECORDS, 60);
    until("reading the rest", &mut members, |m| {
        count(m) >= before + 60
    });
}

/// Each check with its name.
pub fn checks() -> Vec<(String, fn(&Suite, &Protocol), Protocol)> {
    let mut all: Vec<(String, fn(&Suite, &Protocol), Protocol)> = vec![];
    for protocol in PROTOCOLS {
        all.push((format!("group-goes-on-{}", protocol.0), goes_on, protocol));
        all.push((format!("group-shares-{}", protocol.0), shares, protocol));
    }
    all
}
