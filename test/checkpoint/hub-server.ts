/** A server on this machine that stands in for the hub: one repository, and faults on demand. */
import {createHash} from 'node:crypto'
import {createServer, type IncomingMessage, type Server, type ServerResponse} from 'node:http'
import {type AddressInfo} from 'node:net'

import {type HubSettings} from '../../src/checkpoint/hub/hub-settings.js'

export const COMMIT = 'c0ffee'.padEnd(40, '0')

export const LOOPBACK = '127.0.0.1'

export interface HubFaults {
  /** Answers every question with this status */
  status?: number
  /** Ends each answer after so many bytes of a file, with the connection cut */
  cutAfter?: number
  /** Has another content than the listing says */
  wrong?: string
  /** Ignores ranges, and sends all of a file each time */
  noRanges?: boolean
  /** Origin that files are redirected to; this server itself where it is left out */
  cdn?: string
  /** Sends more than the listing says */
  longer?: boolean
}

export class HubServer {
  readonly files = new Map<string, Buffer>()
  /** Paths in the listing that replace the real ones, and hashes */
  listed: {path: string; oid?: string; size?: number}[] = []
  faults: HubFaults = {}
  /** 'GET /path bytes=3-' */
  readonly asked: string[] = []
  readonly tokens: (string | undefined)[] = []
  private readonly server: Server

  constructor(
    public repository = 'some/model',
    private readonly kind: 'models' | 'datasets' = 'models',
  ) {
    this.server = createServer((request, response) => this.answer(request, response))
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(0, LOOPBACK, resolve))
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  get endpoint(): string {
    return `http://${LOOPBACK}:${(this.server.address() as AddressInfo).port}`
  }

  settings(cache: string, more: Partial<HubSettings> = {}): HubSettings {
    return {cache, endpoint: this.endpoint, offline: false, token: null, ...more}
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const {pathname: path} = new URL(request.url ?? '', this.endpoint)
    this.asked.push([request.method, path, request.headers.range].filter(Boolean).join(' '))
    this.tokens.push(request.headers.authorization)
    if (this.faults.status) return void response.writeHead(this.faults.status).end()
    const api = `/api/${this.kind}/${this.repository}`
    if (path.startsWith(`${api}/revision/`)) {
      return json(response, {id: this.repository, sha: COMMIT})
    }
    if (path.startsWith(`${api}/tree/${COMMIT}`)) return json(response, this.listing())
    const resolved = `${this.kind === 'datasets' ? '/datasets' : ''}/${this.repository}/resolve/${COMMIT}/`
    if (path.startsWith(resolved)) {
      const address = `${this.faults.cdn ?? ''}/cdn/${path.slice(resolved.length)}`
      return void response.writeHead(302, {location: address}).end()
    }

    const content = this.files.get(decodeURIComponent(path.replace(/^\/cdn\//, '')))
    if (!content) return void response.writeHead(404).end()
    this.send(request, response, content)
  }

  private listing(): object[] {
    const real = [...this.files].map(([path, content]) => ({
      oid: createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'),
      path,
      size: content.length,
      type: 'file',
      // Files of weights are kept by LFS, under their SHA-256.
      ...(/\.(?:safetensors|bin)$/.test(path) && {
        lfs: {oid: createHash('sha256').update(content).digest('hex'), pointerSize: 134, size: content.length},
      }),
    }))
    return [...real, ...this.listed.map((entry) => ({oid: '0'.repeat(40), size: 1, type: 'file', ...entry}))]
  }

  private send(request: IncomingMessage, response: ServerResponse, content: Buffer): void {
    const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
    const from = this.faults.noRanges ? 0 : Number(start ?? 0)
    if (from >= content.length && from > 0) return void response.writeHead(416).end()
    const whole = this.faults.wrong === undefined ? content : Buffer.alloc(content.length, this.faults.wrong)
    const rest = Buffer.concat([whole.subarray(from), Buffer.alloc(this.faults.longer ? 10 : 0)])
    const range = `bytes ${from}-${content.length - 1}/${content.length}`
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': rest.length,
      ...(from > 0 && {'content-range': range}),
    })
    const {cutAfter = Infinity} = this.faults
    if (rest.length <= cutAfter) return void response.end(rest)
    response.write(rest.subarray(0, cutAfter), () => response.destroy())
  }
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, {'content-type': 'application/json'}).end(JSON.stringify(value))
}
