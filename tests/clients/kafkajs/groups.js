// Groups through kafkajs (classic protocol): members come and go, and go on where they were.
'use strict'
const PARTITIONS = 6
const RECORDS = 300
const TIMEOUT_MS = 30000

module.exports = function groups(kafka, admin, equal) {
  async function until(what, holds) {
    const deadline = Date.now() + TIMEOUT_MS
    while (!holds()) {
      if (Date.now() > deadline) throw new Error(`${what} did not happen in time`)
      await new Promise(done => setTimeout(done, 20))
    }
  }

  async function newTopic(name) {
    await admin.createTopics({ topics: [{ topic: name, numPartitions: PARTITIONS }] })
    return name
  }

  async function produce(topic, first, count) {
    const producer = kafka.producer()
    await producer.connect()
    const messages = []
    for (let index = first; index < first + count; index++)
      messages.push({ value: `${index}`, partition: index % PARTITIONS })
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  // A consumer that subscribes, and what it has read; it commits behind each batch. It sends
  // heartbeats between fetches, so a long wait in one holds up every rebalance.
  async function member(group, topic) {
    const consumer = kafka.consumer({
      groupId: group, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 200,
    })
    const self = { consumer, owned: [], read: new Map() }
    consumer.on(consumer.events.GROUP_JOIN, event => {
      self.owned = event.payload.memberAssignment[topic] || []
    })
    consumer.on(consumer.events.REBALANCING, () => { self.owned = [] })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch, heartbeat }) => {
        for (const message of batch.messages) {
          const where = `${batch.partition}/${message.offset}`
          if (self.read.has(where)) throw new Error(`${where} came twice to one member`)
          self.read.set(where, Number(message.value))
        }
        const offset = `${Number(batch.lastOffset()) + 1}`
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset }])
        await heartbeat()
      },
    })
    return self
  }

  const values = members => members.flatMap(m => [...m.read.values()]).sort((a, b) => a - b)
  const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)
  const share = members => members.every(m => m.owned.length > 0) &&
    `${members.flatMap(m => m.owned).sort()}` === `${range(0, PARTITIONS)}`

  async function goesOn() {
    const topic = await newTopic('groups-resume')
    await produce(topic, 0, RECORDS)
    const first = await member(topic, topic)
    await until('reading all', () => first.read.size === RECORDS)
    equal(values([first]), range(0, RECORDS), 'what was read')
    await first.consumer.disconnect()
    await produce(topic, RECORDS, 60)
    const second = await member(topic, topic)
    await until('reading the rest', () => second.read.size >= 60)
    equal(values([second]), range(RECORDS, RECORDS + 60), 'the rest')
    await second.consumer.disconnect()
  }

  async function shares() {
    const topic = await newTopic('groups-share')
    const members = []
    for (let count = 1; count <= 3; count++) {
      members.push(await member(topic, topic))
      await until(`${count} members share`, () => share(members))
    }
    await produce(topic, 0, RECORDS)
    await until('reading all', () => values(members).length >= RECORDS)
    equal(values(members), range(0, RECORDS), 'records, each once')
    await members.shift().consumer.disconnect()
    await members.shift().consumer.disconnect()
    await until('the last one has all', () => share(members))
    await members[0].consumer.disconnect()
  }

  async function adminSees() {
    const topic = await newTopic('groups-admin')
    await produce(topic, 0, 60)
    const one = await member(topic, topic)
    await until('reading all', () => one.read.size === 60)
    const { groups } = await admin.listGroups()
    equal(groups.filter(g => g.groupId === topic), [{ groupId: topic, protocolType: 'consumer' }],
      'the listed group')
    const described = (await admin.describeGroups([topic])).groups[0]
    equal([described.state, described.members.length], ['Stable', 1], 'state and members')
    await one.consumer.disconnect()
    const offsets = async () => (await admin.fetchOffsets({ groupId: topic, topics: [topic] }))[0]
      .partitions.sort((a, b) => a.partition - b.partition).map(p => p.offset)
    equal(await offsets(), range(0, PARTITIONS).map(() => '10'), 'offsets')
    await admin.setOffsets({ groupId: topic, topic, partitions: [{ partition: 3, offset: '4' }] })
    equal((await offsets())[3], '4', 'the moved offset')
    await admin.deleteGroups([topic])
    equal((await admin.listGroups()).groups.some(g => g.groupId === topic), false, 'still listed')
  }

  return { 'group-goes-on': goesOn, 'group-shares': shares, 'group-admin': adminSees }
}
