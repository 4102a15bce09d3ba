/**
 * Greedy continuations by llama.cpp, in a process of its own, which its addon wants. The one argument is a JSON list of
 * {model, lora?, prompt, tokens}; what is printed is a list of {promptIds, ids}.
 */
import {getLlama} from 'node-llama-cpp'

const llama = await getLlama({build: 'never', gpu: false, logLevel: 'error'})
const results = []
for (const {lora, model: modelPath, prompt, tokens} of JSON.parse(process.argv[2])) {
  const model = await llama.loadModel({gpuLayers: 0, modelPath})
  const context = await model.createContext({contextSize: 128, threads: 1, ...(lora ? {lora} : {})})
  const promptIds = model.tokenize(prompt, true)
  const ids = []
  for await (const id of context.getSequence().evaluate(promptIds, {temperature: 0})) {
    if (ids.push(id) === tokens) break
  }
  results.push({ids, promptIds})
  await context.dispose()
  await model.dispose()
}
process.stdout.write(JSON.stringify(results), () => process.exit(0))
