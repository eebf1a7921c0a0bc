// One member of a group for tests/faults/groups, through kafkajs (classic protocol): what it says is
// described in tests/faults/group_member.py.
//
//     member.js ADDRESS GROUP TOPIC PROTOCOL
'use strict'
const { Kafka, logLevel } = require('kafkajs')

const [address, groupId, topic] = process.argv.slice(2)
const kafka = new Kafka({
  brokers: [address], logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 1000 },
})
const consumer = kafka.consumer({
  groupId, sessionTimeout: 6000, heartbeatInterval: 300, maxWaitTimeInMs: 100,
})

// Of the machine's monotonic clock, as all others say it.
const now = () => Number(process.hrtime.bigint()) / 1e9
const say = (...event) => process.stdout.write(JSON.stringify(event) + '\n')

async function commit(partition, offset) {
  try {
    await consumer.commitOffsets([{ topic, partition, offset: `${offset}` }])
  } catch (error) {
    return // a refusal is part of life here
  }
  say('committed', now(), { [partition]: offset })
}

async function main() {
  consumer.on(consumer.events.GROUP_JOIN, event =>
    say('given', now(), event.payload.memberAssignment[topic] || []))
  process.on('SIGTERM', async () => {
    await consumer.disconnect()
    process.exit(0)
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, heartbeat, isRunning, isStale }) => {
      if (!isRunning() || isStale()) return
      for (const message of batch.messages)
        say('read', batch.partition, Number(message.offset))
      await commit(batch.partition, Number(batch.lastOffset()) + 1)
      await heartbeat()
    },
  })
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
