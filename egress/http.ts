import { lookup as resolve, type LookupAddress } from 'node:dns';
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { ColloquyError, firstOf } from '../protocol/index.js';
import { AddressGuard } from './address-guard.js';

export interface EgressOptions {
  /** Hosts, addresses and networks that may be reached although they are not public. */
  allow?: readonly string[];
  /** Limit for the whole exchange, from the DNS look-up to the end of the answer, in ms. */
  timeoutMs?: number;
  /** Maximum number of bytes that are read of an answer. The rest of the answer is dropped. */
  maxAnswerBytes?: number;
}

export interface EgressPost {
  headers: Record<string, string>;
  body: string;
  signal?: AbortSignal;
}

export interface EgressAnswer {
  status: number;
  /** Value of the answer's header `Retry-After` as the receiver sent it: seconds or a date. */
  retryAfter?: string;
  /** The first bytes of the answer's body, at most `maxAnswerBytes`. */
  body: string;
}

export interface Egress {
  /**
   * Throws for a URL that can be refused without a DNS look-up, for example because its host is a
   * private address. Errors: `invalid_argument`, `forbidden`.
   */
  check(url: string): void;
  /**
   * Posts a body and returns the receiver's answer, whatever its HTTP status is. Does not follow
   * redirects. Errors: `invalid_argument`, `forbidden`; `unavailable` if there is no answer.
   */
  post(url: string, post: EgressPost): Promise<EgressAnswer>;
}

const TIMEOUT_MS = 15_000;
const MAX_ANSWER_BYTES = 16 * 1024;

/**
 * Creates the client for outgoing HTTP. It checks the addresses that the DNS look-up of a host
 * returns, and connects to one of exactly these addresses. There is no second look-up, so nobody
 * can get past the check by a later change of the DNS record.
 */
export function createEgress(options: EgressOptions = {}): Egress {
  const { timeoutMs = TIMEOUT_MS, maxAnswerBytes = MAX_ANSWER_BYTES } = options;
  const guard = new AddressGuard(options.allow);
  const lookup = guardedLookup(guard);

  return {
    check: (text) => void checkedUrl(guard, text),

    async post(text, { headers, body, signal }) {
      const url = checkedUrl(guard, text);
      const timeout = AbortSignal.timeout(timeoutMs);
      const { signal: over, release } = firstOf(...(signal === undefined ? [timeout] : [timeout, signal]));
      try {
        const answer = await send(url, { headers, body, lookup, signal: over });
        const { statusCode = 0, headers: answered } = answer;
        const retryAfter = answered['retry-after'];
        const beginning = await readBeginning(answer, maxAnswerBytes);
        return { status: statusCode, body: beginning, ...(retryAfter !== undefined && { retryAfter }) };
      } catch (error) {
        if (error instanceof ColloquyError) throw error;
        const why = timeout.aborted ? `no answer within ${timeoutMs} ms` : (error as Error).message;
        throw new ColloquyError('unavailable', `${url.host} cannot be reached: ${why}`, { cause: error });
      } finally {
        release();
      }
    },
  };
}

function checkedUrl(guard: AddressGuard, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new ColloquyError('invalid_argument', `${JSON.stringify(text)} is no http or https URL`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new ColloquyError('invalid_argument', `the URL of ${url.host} has a user or password in it`);
  }
  const host = hostOf(url);
  // The addresses of a host name are checked after the DNS look-up. A host that is itself an
  // address has no look-up, so it is checked here.
  if (isIP(host)) guard.checkAddress(url.host, host);
  return url;
}

/**
 * Returns the URL's host without the brackets of an IPv6 address. The URL parser has already
 * normalized addresses: `0x7f.1` has become `127.0.0.1`.
 */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '');
}

/**
 * Returns the function that looks up host names for `request`. A look-up fails if at least one
 * address of the host is forbidden, even if the other addresses of the host are allowed: such a
 * host is a mistake or an attack. A host that the operator allows by name may have any address.
 */
function guardedLookup(guard: AddressGuard): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      try {
        if (!guard.allowsHost(host)) for (const { address } of addresses) guard.checkAddress(host, address);
      } catch (refusal) {
        return callback(refusal as Error, []);
      }
      const [first] = addresses as [LookupAddress];
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

interface Sending {
  headers: Record<string, string>;
  body: string;
  lookup: LookupFunction;
  signal: AbortSignal;
}

function send(url: URL, { headers, body, lookup, signal }: Sending): Promise<IncomingMessage> {
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((done, fail) => {
    // Always open a new connection. A connection from a pool would be used without a DNS look-up,
    // and so without the check of its address.
    const sent = request(url, { method: 'POST', headers, lookup, signal, agent: false }, done);
    sent.on('error', fail);
    sent.end(body);
  });
}

async function readBeginning(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (size >= maxBytes) break;
  }
  return Buffer.concat(parts).subarray(0, maxBytes).toString('utf8');
}
