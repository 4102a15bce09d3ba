#!/usr/bin/env node
import {existsSync} from 'node:fs'

if (existsSync(new URL('../program/commands', import.meta.url))) {
  const {execute} = await import('../program/cli/execute.js')
  await execute({dir: import.meta.url})
} else {
  console.error(' ✖ mambatune is not built.\n   Try: npm run build')
  process.exitCode = 1
}
