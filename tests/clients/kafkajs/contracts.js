// kafkajs after a batch with a record that breaks its topic's contract. It drops the broker's words.
'use strict'
const ORDER = 'syntax = "proto3"; package shop; message Order { string id = 1; int32 count = 2; }'
const GOOD = Buffer.from([0x0a, 1, 97, 0x10, 7])
const BAD = Buffer.from([0x0a, 1, 97, 0x12, 2, 122, 122])

// A stand-in has no registry.
async function schemaId () {
  const answer = await fetch(`${process.env.MILLRACE_REGISTRY}/subjects/orders/versions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schemaType: 'PROTOBUF', schema: ORDER })
  })
  return (await answer.json()).id
}

function framed (id, payload) {
  return Buffer.concat([Buffer.from([0, 0, 0, 0, id, 0]), payload])
}

module.exports = (kafka, admin, equal) => {
  async function orders (topic, idempotent) {
    const id = await schemaId()
    await admin.createTopics({
      topics: [{
        topic,
        numPartitions: 2,
        configEntries: [{ name: 'millrace.value.contract', value: 'payload' },
          { name: 'millrace.value.subject', value: 'orders' }]
      }]
    })
    const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 })
    await producer.connect()
    // The base offsets by partition, or the error's type; payloads are [partition, bytes].
    const send = async (...payloads) => {
      try {
        const messages = payloads.map(([partition, bytes]) => ({ partition, value: framed(id, bytes) }))
        const told = await producer.send({ topic, messages })
        return told.map(one => [one.partition, one.baseOffset])
      } catch (error) {
        return error.type
      }
    }
    return { send, end: () => producer.disconnect() }
  }

  async function goesOn (topic, idempotent) {
    const { send, end } = await orders(topic, idempotent)
    equal(await send([0, GOOD]), [[0, '0']], 'a good one')
    equal(await send([0, GOOD], [0, BAD], [0, GOOD]), 'INVALID_RECORD', 'one bad of three')
    equal(await send([0, GOOD], [0, GOOD]), [[0, '1']], 'the next')
    return { send, end }
  }

  return {
    'contract-plain': async () => (await goesOn('contract-plain', false)).end(),
    // It rewinds the sequences of all partitions of a refused request, those that were stored
    // included: the next record there is taken for a repetition, and is not stored.
    'contract-idempotent': async () => {
      const topic = 'contract-idempotent'
      const { send, end } = await goesOn(topic, true)
      equal(await send([0, GOOD], [1, BAD]), 'INVALID_RECORD', 'a good one and a bad one')
      equal(await send([0, GOOD]), [[0, '3']], 'the offset of the one before')
      equal(await send([1, GOOD]), [[1, '0']], 'the other partition')
      await end()
      const offsets = await admin.fetchTopicOffsets(topic)
      equal(offsets.map(one => one.high).sort(), ['1', '4'], 'records')
    }
  }
}
