// kafkajs: admin and producer through its public interface. Its consumer always joins a group
// (groups.js), so other reading goes through the broker object underneath it (the same fetch and
// the same decoding).
// The records that it writes are described in ../README.md.
'use strict'
const { randomBytes } = require('crypto')
const lz4 = require('lz4js')
const lz4Hash = require('lz4js/xxh32.js')
const snappy = require('snappyjs')
const zstd = require('@bokuweb/zstd-wasm')
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = require('kafkajs')

const contracts = require('./contracts.js')
const groups = require('./groups.js')

const TOPIC = 'kafkajs'
const PARTITIONS = 3
const PER_CODEC = 100
const STAND_IN = process.env.MILLRACE_STAND_IN
const BASE_MS = (Math.floor(Date.now() / 1000) - 3600) * 1000
const WRITTEN = ['none', 'gzip', 'snappy', 'lz4', 'zstd', 'idempotent']
const TYPES = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD,
}
const codec = (compress, decompress) => () => ({
  compress: async encoder => Buffer.from(compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(decompress(buffer)),
})
CompressionCodecs[CompressionTypes.Snappy] = codec(snappy.compress, snappy.uncompress)
CompressionCodecs[CompressionTypes.LZ4] = codec(lz4Compress, lz4.decompress)
CompressionCodecs[CompressionTypes.ZSTD] = codec(b => zstd.compress(b, 3), b => zstd.decompress(b))

// lz4js does not say in its frame header that its blocks are independent, which they are and which
// Kafka insists on: set the flag, and the header's checksum with it.
function lz4Compress(buffer) {
  const frame = lz4.compress(buffer)
  frame[4] |= 0x20
  frame[6] = lz4Hash.hash(0, frame, 4, 2) >> 8
  return frame
}

const kafka = new Kafka({
  clientId: 'suite', brokers: [process.env.MILLRACE_BOOTSTRAP], logLevel: logLevel.NOTHING,
  retry: { retries: 2, initialRetryTime: 50 },
})
const admin = kafka.admin()
let failures = 0

// ---- checks ----------------------------------------------------------------------------------

const say = text => process.stdout.write(text.replace(/\s+/g, ' ') + '\n')

async function check(name, body) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('no end after 30 s')), 30000)
  })
  try {
    await Promise.race([body(), late])
    say(`ok ${name}`)
  } catch (error) {
    failures++
    const lines = [...(error.stack || '').matchAll(/suite\.js:(\d+)/g)].map(found => found[1])
    say(`not ok ${name}: line ${lines.slice(0, 3).join(' < ')}: ${error.type || error.name}: ${error.message}`)
  } finally {
    clearTimeout(timer)
  }
}

function equal(is, wanted, what) {
  const [a, b] = [JSON.stringify(is), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`.slice(0, 600))
}

// The error types of an error; kafkajs wraps what the broker said in several ways.
function typesOf(error) {
  const inner = [...(error.errors || []), error.cause, error.originalError].filter(Boolean)
  return [error.type, ...inner.flatMap(typesOf)].filter(Boolean)
}

async function refused(type, call) {
  try {
    await call()
  } catch (error) {
    if (typesOf(error).includes(type)) return
    throw new Error(`the error is ${typesOf(error)} ${error.name} (${error.message}), not ${type}`)
  }
  throw new Error(`no ${type}`)
}

// ---- records ---------------------------------------------------------------------------------

function record(name, index) {
  const value = { 7: null, 8: '' }
  return {
    partition: index % PARTITIONS,
    key: index % 10 === 9 ? null : `${name}-${index}`,
    value: index % 10 in value ? value[index % 10] : `value ${index} of ${name}, `.repeat(20),
    headers: { codec: [name, 'again'], null: '' }, // it cannot write a null header
    timestamp: String(BASE_MS + index * 1000),
  }
}

const text = data => (data === null || data === undefined ? null : data.toString())

function comparable(message) {
  return [text(message.key), text(message.value), message.timestamp,
    [message.headers.codec].flat().map(text), text(message.headers.null)]
}

async function produce(topic, messages, { compression, acks = -1, ...config } = {}) {
  const producer = kafka.producer({ allowAutoTopicCreation: false, ...config })
  await producer.connect()
  try {
    return await producer.send({ topic, messages, acks, compression })
  } finally {
    await producer.disconnect()
  }
}

// The cluster object that kafkajs' own consumer reads through, without the group around it.
async function withCluster(use) {
  const symbol = Object.getOwnPropertySymbols(kafka)
    .find(one => one.description === 'private:Kafka:createCluster')
  const cluster = kafka[symbol]({ allowAutoTopicCreation: false, metadataMaxAge: 300000 })
  await cluster.connect()
  try {
    return await use(cluster)
  } finally {
    await cluster.disconnect()
  }
}

async function fetchFrom(cluster, topic, partition, offset, maxBytes = 1048576) {
  const leader = Number(Object.keys(cluster.findLeaderForPartitions(topic, [partition]))[0])
  const broker = await cluster.findBroker({ nodeId: String(leader) })
  const answer = await broker.fetch({
    isolationLevel: 1, maxWaitTime: 500, minBytes: 1, maxBytes,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
  })
  return answer.responses[0].partitions[0]
}

async function consume(topic, partition, maxBytes) {
  return withCluster(async cluster => {
    await cluster.addTargetTopic(topic)
    const ends = await admin.fetchTopicOffsets(topic)
    const { low, high } = ends.find(one => one.partition === partition)
    const result = []
    for (let offset = Number(low); offset < Number(high);) {
      const { messages } = await fetchFrom(cluster, topic, partition, offset, maxBytes)
      const fresh = messages.filter(message => Number(message.offset) >= offset)
      result.push(...fresh)
      if (fresh.length) offset = Number(fresh[fresh.length - 1].offset) + 1
    }
    return result
  })
}

// ---- topics ----------------------------------------------------------------------------------

const create = (topic, numPartitions, configs = {}, replicationFactor = 1) => admin.createTopics({
  topics: [{
    topic, numPartitions, replicationFactor,
    configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
  }],
})

async function topicOf(topic) {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0]
}

async function checkTopics() {
  await check('create-topic', async () => {
    equal(await create(TOPIC, PARTITIONS, { 'max.message.bytes': '300000', 'retention.ms': '-1' }),
      true, 'the answer')
    equal(await create(TOPIC, 1), false, 'the answer for an existing topic')
  })
  await check('create-refused', async () => {
    await refused('INVALID_TOPIC_EXCEPTION', () => create('no spaces', 1))
    await refused('INVALID_PARTITIONS', () => create('no-partitions', 0))
    await refused('INVALID_CONFIG', () => create('bad-config', 1, { 'retention.ms': 'soon' }))
  })
  if (STAND_IN) {
    say('skip create-three-replicas: one Apache Kafka node refuses it, Millrace reports 1')
  } else {
    await check('create-three-replicas', async () => {
      await create('three-replicas', 1, {}, 3)
      equal((await topicOf('three-replicas')).partitions[0].replicas.length, 1, 'replicas')
    })
  }
  await check('create-partitions', async () => {
    const grow = (topic, count) => admin.createPartitions({ topicPartitions: [{ topic, count }] })
    await create('growing', 1)
    await grow('growing', 4)
    equal((await topicOf('growing')).partitions.length, 4, 'partitions')
    await refused('INVALID_PARTITIONS', () => grow('growing', 2))
  })
  await check('describe-topic', async () => {
    const { partitions } = await topicOf(TOPIC)
    equal(partitions.length, PARTITIONS, 'partitions')
    partitions.forEach(one => equal([one.replicas, one.isr], [[one.leader], [one.leader]], 'nodes'))
  })
  await check('describe-cluster', async () => {
    const { brokers, controller, clusterId } = await admin.describeCluster()
    equal([brokers.length, controller], [1, brokers[0].nodeId], 'brokers and controller')
    if (!clusterId) throw new Error('no cluster id')
  })
}

// ---- records and offsets ---------------------------------------------------------------------

const endOf = partition => Math.ceil((PER_CODEC - partition) / PARTITIONS) * WRITTEN.length
const indexes = [...Array(PER_CODEC).keys()]

async function consumeAll() {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const got = await consume(TOPIC, partition)
    equal(got.map(one => Number(one.offset)), [...Array(endOf(partition)).keys()], 'offsets')
    const wanted = WRITTEN.flatMap(name => indexes.map(index => record(name, index)))
      .filter(one => one.partition === partition)
    got.forEach((one, index) => equal(comparable(one), comparable(wanted[index]), `record ${index}`))
  }
}

async function checkRecords() {
  for (const name of WRITTEN.slice(0, 5)) {
    await check(`produce-${name}`, () =>
      produce(TOPIC, indexes.map(index => record(name, index)), { compression: TYPES[name] }))
  }
  await check('produce-idempotent', () =>
    produce(TOPIC, indexes.map(index => record('idempotent', index)), { idempotent: true }))
  await check('produce-acks-0-and-1', async () => {
    await create('acks', 1)
    await produce('acks', [{ value: '0' }], { acks: 0 })
    await produce('acks', [{ value: '1' }], { acks: 1 })
    equal((await consume('acks', 0)).map(one => text(one.value)).sort(), ['0', '1'], 'values')
  })
  await check('consume-all', consumeAll)
  await check('consume-small-fetches', async () => {
    await create('large', 1)
    const value = randomBytes(250000)
    for (let i = 0; i < 8; i++) await produce('large', [{ value }])
    const got = await consume('large', 0, 1000)
    equal(got.map(one => one.value.equals(value)), Array(8).fill(true), 'values')
  })
  await check('consume-out-of-range', () => refused('OFFSET_OUT_OF_RANGE', () =>
    withCluster(async cluster => {
      await cluster.addTargetTopic(TOPIC)
      await fetchFrom(cluster, TOPIC, 0, 1000000)
    })))
  await check('offsets', async () => {
    const found = await admin.fetchTopicOffsets(TOPIC)
    found.sort((a, b) => a.partition - b.partition).forEach(one =>
      equal([one.low, one.high], ['0', String(endOf(one.partition))], `of ${one.partition}`))
  })
  await check('offsets-by-time', async () => {
    const at = async time => (await admin.fetchTopicOffsetsByTimestamp(TOPIC, time))
      .find(one => one.partition === 1).offset
    equal(await at(BASE_MS + 9500), '3', 'offset')
    equal(await at(BASE_MS + 10000000), String(endOf(1)), 'past the end, kafkajs gives the end:')
  })
}

// ---- configs ---------------------------------------------------------------------------------

async function configsOf(name) {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name }],
  })
  return Object.fromEntries(resources[0].configEntries.map(one => [one.configName, one]))
}

const alter = (name, key, value) => admin.alterConfigs({
  validateOnly: false,
  resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries: [{ name: key, value }] }],
})

async function checkConfigs() {
  await check('describe-configs', async () => {
    const found = await configsOf(TOPIC)
    equal([found['max.message.bytes'].configValue, found['max.message.bytes'].configSource],
      ['300000', 1], 'max.message.bytes and its source')
    equal([found['cleanup.policy'].configValue, found['cleanup.policy'].configSource],
      ['delete', 5], 'cleanup.policy and its source')
    await refused('UNKNOWN_TOPIC_OR_PARTITION', () => configsOf('nowhere'))
  })
  say('skip alter-configs-incremental: kafkajs has no IncrementalAlterConfigs')
  await check('alter-configs-replacing', async () => {
    await create('replaced', 1, { 'retention.ms': '5000' })
    await alter('replaced', 'segment.ms', '70000')
    const found = await configsOf('replaced')
    equal([found['segment.ms'].configValue, found['retention.ms'].configValue],
      ['70000', '604800000'], 'segment.ms and retention.ms')
    await refused('INVALID_CONFIG', () => alter('replaced', 'segment.ms', 'soon'))
    await refused('INVALID_CONFIG', () => alter('replaced', 'no.such', '1'))
  })
}

// ---- deleting and refusals -------------------------------------------------------------------

async function checkRefusals() {
  await check('delete-records', async () => {
    const partitions = [{ partition: 0, offset: '10' }, { partition: 1, offset: '-1' }]
    await admin.deleteTopicRecords({ topic: TOPIC, partitions })
    equal((await consume(TOPIC, 0))[0].offset, '10', 'the first offset')
    equal((await consume(TOPIC, 1)).length, 0, 'records where all are deleted')
  })
  await check('refuse-too-large', async () => {
    const big = [{ partition: 0, value: randomBytes(400000) }]
    await refused('MESSAGE_TOO_LARGE', () => produce(TOPIC, big))
    await refused('MESSAGE_TOO_LARGE', () => produce(TOPIC, big, { idempotent: true }))
  })
  await check('refuse-unknown-topic', async () => {
    await refused('UNKNOWN_TOPIC_OR_PARTITION', () => produce('nowhere', [{ value: 'v' }]))
    if ((await admin.listTopics()).includes('nowhere')) throw new Error('it was created')
  })
  say('skip refuse-bad-partition: kafkajs drops messages for partitions that are not there')
  await check('refuse-null-key-compacted', async () => {
    await create('compacted', 1, { 'cleanup.policy': 'compact' })
    try {
      await produce('compacted', [{ value: 'v' }])
    } catch (error) {
      equal(error.code, 87, 'the error code')
      return
    }
    throw new Error('no error')
  })
  await check('delete-topic', async () => {
    await admin.deleteTopics({ topics: [TOPIC] })
    if (STAND_IN) await new Promise(done => setTimeout(done, 1000))
    if ((await admin.listTopics()).includes(TOPIC)) throw new Error('it is still listed')
    await refused('UNKNOWN_TOPIC_OR_PARTITION', () => admin.deleteTopics({ topics: [TOPIC] }))
  })
}

async function main() {
  await zstd.init()
  await admin.connect()
  await checkTopics()
  await checkRecords()
  await checkConfigs()
  await checkRefusals()
  if (process.env.MILLRACE_REGISTRY) {
    for (const [name, body] of Object.entries(contracts(kafka, admin, equal))) await check(name, body)
  }
  for (const [name, body] of Object.entries(groups(kafka, admin, equal))) await check(name, body)
  await admin.disconnect()
  process.exit(failures ? 1 : 0)
}

main()
