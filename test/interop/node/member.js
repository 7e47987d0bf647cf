// A member of a classic group in kafkajs. It prints events as Apache Kafka's VerifiableConsumer does.
'use strict'

const { AssignerProtocol, Kafka, logLevel } = require('kafkajs')

const [bootstrap, topic, group] = process.argv.slice(2)

function say (name, more) {
  require('fs').writeSync(1, JSON.stringify({ timestamp: Date.now(), name, ...more }) + '\n')
}

// range assigns as Kafka's RangeAssignor does, by whose name it goes: for each topic, members by their id get neighbouring
// partitions, the first ones one more where they do not divide evenly. kafkajs' own assigner is known to no other client.
const range = ({ cluster }) => ({
  name: 'range',
  version: 0, // of the format that kafkajs writes: later ones say which partitions a member has
  protocol ({ topics }) {
    return { name: this.name, metadata: AssignerProtocol.MemberMetadata.encode({ version: this.version, topics, userData: Buffer.alloc(0) }) }
  },
  async assign ({ members }) {
    const readers = {} // by topic
    const owned = {}
    for (const { memberId, memberMetadata } of members) {
      owned[memberId] = {}
      for (const t of AssignerProtocol.MemberMetadata.decode(memberMetadata).topics) {
        readers[t] = [...(readers[t] || []), memberId]
      }
    }
    for (const [t, ids] of Object.entries(readers)) {
      await cluster.addTargetTopic(t)
      const numbers = cluster.findTopicPartitionMetadata(t).map(p => p.partitionId).sort((a, b) => a - b)
      const each = Math.floor(numbers.length / ids.length)
      const more = numbers.length % ids.length
      ids.sort().forEach((id, i) => {
        const from = i * each + Math.min(i, more)
        const list = numbers.slice(from, from + each + (i < more ? 1 : 0))
        if (list.length > 0) owned[id][t] = list
      })
    }
    return Object.entries(owned).map(([memberId, assignment]) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: this.version, assignment, userData: Buffer.alloc(0) })
    }))
  }
})

async function main () {
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({
    groupId: group,
    partitionAssigners: [range],
    sessionTimeout: 6000,
    heartbeatInterval: 1000,
    rebalanceTimeout: 20000,
    maxWaitTimeInMs: 100
  })
  let held = []
  const let_go = () => {
    if (held.length > 0) say('partitions_revoked', { partitions: held })
    held = []
  }
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    let_go()
    held = (payload.memberAssignment[topic] || []).map(partition => ({ topic, partition }))
    say('partitions_assigned', { partitions: held })
  })
  consumer.on(consumer.events.REBALANCING, let_go)
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat, isRunning, isStale }) => {
      if (!isRunning() || isStale()) return
      for (const m of batch.messages) {
        say('record_data', { topic, partition: batch.partition, offset: Number(m.offset), value: m.value.toString() })
        resolveOffset(m.offset)
      }
      const offset = Number(batch.messages[batch.messages.length - 1].offset) + 1
      const offsets = [{ topic, partition: batch.partition, offset }]
      try {
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(offset) }])
        say('offsets_committed', { offsets, success: true })
      } catch (err) {
        say('offsets_committed', { offsets, error: String(err), success: false })
        throw err
      }
      await heartbeat()
    }
  })
  process.on('SIGTERM', async () => {
    await consumer.disconnect()
    let_go()
    process.exit(0)
  })
}

main().catch(err => { console.error(err); process.exit(1) })
