// Bundles TensorFlow.js's own gradients into build/tfjs-gradients.mjs.
// They are only published as ECMAScript modules inside a CommonJS package, which Node 20 cannot import; the umbrella
// package that contains them takes most of a second to load. The copy of the core inside the bundle finds the one engine
// and registry through the global namespace, as TensorFlow.js intends for several copies.
import {build} from 'esbuild'

await build({
  bundle: true,
  entryPoints: ['@tensorflow/tfjs-core/dist/register_all_gradients.js'],
  format: 'esm',
  logLevel: 'error',
  minify: true,
  outfile: 'build/tfjs-gradients.mjs',
  platform: 'node',
})
