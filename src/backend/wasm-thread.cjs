/**
 * Starts one worker thread of TensorFlow.js's threaded WebAssembly build under Node.
 *
 * The build's own worker script knows Node, but TensorFlow.js hands it over as a blob URL, which Node's Worker refuses
 * (tensorflow/tfjs#3830). Here the script runs from the installed package, and where it asks for the URL of the main
 * script it gets that file's path. See wasm-device.ts.
 */
const main = require.resolve('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js')
const {wasmWorkerContents} = require('@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.worker.js')

URL.createObjectURL = () => main
URL.revokeObjectURL = () => {}
const script = wasmWorkerContents.replace(/\n/g, '\\n')
new Function('require', 'module', '__filename', script)(require, module, __filename)
