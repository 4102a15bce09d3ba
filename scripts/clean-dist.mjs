// Removes the compiled tree and what is bundled of it, so that a file deleted from src/ does not live on as a command or a module.
import {rmSync} from 'node:fs'

for (const made of ['../dist', '../program', '../oclif.manifest.json']) {
  rmSync(new URL(made, import.meta.url), {force: true, recursive: true})
}
