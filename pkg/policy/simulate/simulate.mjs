// Decides cases with @cloud-copilot/iam-simulate, for package simulate:
// one simulation a line on stdin, one decision a line on stdout.
//
//   node simulate.mjs PACKAGE_JSON   the file beside node_modules
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const { runSimulation } = createRequire(process.argv[2])('@cloud-copilot/iam-simulate')

async function decide(simulation) {
  try {
    const answer = await runSimulation(simulation, { simulationMode: 'Strict' })
    if (answer.resultType !== 'single') {
      return { problem: JSON.stringify(answer.errors ?? answer.resultType) }
    }
    return { result: answer.overallResult, ignored: answer.result.ignoredContextKeys ?? [] }
  } catch (error) {
    return { problem: String(error) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await decide(JSON.parse(line))) + '\n')
}
