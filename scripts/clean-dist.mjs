// Removes the compiled tree, so that a file deleted from src/ does not live on as a command or a module.
import {rmSync} from 'node:fs'

rmSync(new URL('../dist', import.meta.url), {force: true, recursive: true})
