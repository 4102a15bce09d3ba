/** What `bin/run.js` starts: oclif, out of the same bundle as the commands, so that both mean the same classes. */
export {execute} from '@oclif/core'
