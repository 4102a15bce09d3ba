#!/usr/bin/env node
import {execute} from '@oclif/core'
import {existsSync} from 'node:fs'

if (existsSync(new URL('../dist/commands', import.meta.url))) {
  await execute({dir: import.meta.url})
} else {
  console.error(' ✖ mambatune is not built.\n   Try: npm run build')
  process.exitCode = 1
}
