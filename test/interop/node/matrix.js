// One end of the matrix in kafkajs: it writes. Its consumer exists only in groups, so it does not read here.
'use strict'

const { CompressionTypes, Kafka, logLevel } = require('kafkajs')
const lines = require('./lines')

const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }

// headersOf gives kafkajs its map; a name that comes twice is a list there.
function headersOf (record) {
  const headers = {}
  for (const [name, data] of record.headers) {
    headers[name] = name in headers ? [].concat(headers[name], [lines.decode(data)]) : lines.decode(data)
  }
  return headers
}

async function write (bootstrap, records) {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR, retry: { retries: 3 } })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const batches = new Map()
  for (const record of records) {
    const key = [record.topic, record.partition, record.codec].join(' ')
    batches.set(key, [...(batches.get(key) || []), record])
  }
  for (const batch of batches.values()) {
    await producer.send({
      topic: batch[0].topic,
      acks: -1,
      compression: codecs[batch[0].codec],
      messages: batch.map(record => ({
        partition: record.partition,
        key: lines.decode(record.key),
        value: lines.decode(record.value),
        timestamp: String(record.timestamp),
        headers: headersOf(record)
      }))
    })
  }
  await producer.disconnect()
}

write(process.argv[3], lines.read()).catch(err => { console.error(err); process.exit(1) })
