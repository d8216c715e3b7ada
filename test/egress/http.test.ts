import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createEgress } from '../../egress/index.js';
import { errorCode } from '../../protocol/index.js';
import { Receiver } from '../support/receiver.js';

const POST = { headers: { 'content-type': 'application/json' }, body: '{"hello":"world"}' };

async function failure(call: Promise<unknown>): Promise<[code: string | undefined, message: string]> {
  const error = await call.then(
    () => new Error('it was not refused'),
    (reason: unknown) => reason as Error,
  );
  return [errorCode(error), error.message];
}

describe('outgoing HTTP', () => {
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(() => receiver.close());

  it('posts to an allowed address and returns the answer', async () => {
    receiver.reply = () => ({ status: 503, headers: { 'Retry-After': '7' }, body: 'later' });
    const answer = await createEgress({ allow: ['127.0.0.1'] }).post(`${receiver.url}/in?a=1`, POST);
    expect(answer).toEqual({ status: 503, retryAfter: '7', body: 'later' });
    expect(receiver.received).toMatchObject([
      { path: '/in?a=1', body: '{"hello":"world"}', headers: { 'content-type': 'application/json' } },
    ]);
  });

  it('posts to an allowed host name, whatever address that name has', async () => {
    const egress = createEgress({ allow: ['localhost'] });
    expect(await egress.post(`http://localhost:${receiver.port}/`, POST)).toMatchObject({ status: 200 });
  });

  it.each([
    ['an address', '127.0.0.1'],
    ['an address in another spelling', '0x7f.1'],
    ['an address as a number', '2130706433'],
    ['an IPv4 address inside an IPv6 address', '[::ffff:127.0.0.1]'],
    ['a host name that resolves to this machine', 'localhost'],
  ])('refuses to send a request to this machine through %s', async (_how, host) => {
    const [code, message] = await failure(createEgress().post(`http://${host}:${receiver.port}/`, POST));
    expect([code, message]).toEqual(['forbidden', expect.stringContaining('may not be reached from here')]);
    expect(receiver.received).toEqual([]);
  });

  it('refuses the address of a host if only the name of the host is allowed', async () => {
    const egress = createEgress({ allow: ['localhost'] });
    expect((await failure(egress.post(receiver.url, POST)))[0]).toBe('forbidden');
  });

  it.each([
    ['file:///etc/passwd', '"file:///etc/passwd" is no http or https URL'],
    ['/relative', '"/relative" is no http or https URL'],
    ['http://me:secret@example.com/', 'the URL of example.com has a user or password in it'],
  ])('refuses the URL %s', async (url, problem) => {
    expect(await failure(createEgress().post(url, POST))).toEqual(['invalid_argument', problem]);
    expect(() => createEgress().check(url)).toThrow(problem);
  });

  it('checks a URL without sending a request, and throws if the address in the URL is forbidden', () => {
    expect(() => createEgress().check('http://169.254.169.254/latest')).toThrow('may not be reached');
    expect(() => createEgress().check('https://example.com/hook')).not.toThrow();
  });

  it('does not follow a redirect', async () => {
    const location = `http://localhost:${receiver.port}/elsewhere`;
    receiver.reply = () => ({ status: 302, headers: { location } });
    const answer = await createEgress({ allow: ['127.0.0.1', 'localhost'] }).post(receiver.url, POST);
    expect(answer.status).toBe(302);
    expect(receiver.received).toHaveLength(1);
  });

  it('gives up after its timeout if the receiver does not answer', async () => {
    receiver.reply = () => 'nothing';
    const egress = createEgress({ allow: ['127.0.0.1'], timeoutMs: 200 });
    expect(await failure(egress.post(receiver.url, POST))).toEqual([
      'unavailable',
      `127.0.0.1:${receiver.port} cannot be reached: no answer within 200 ms`,
    ]);
  });

  it('reads an answer only up to the configured number of bytes', async () => {
    receiver.reply = () => ({ status: 200, body: 'x'.repeat(1_000_000) });
    const egress = createEgress({ allow: ['127.0.0.1'], maxAnswerBytes: 10 });
    expect((await egress.post(receiver.url, POST)).body).toBe('xxxxxxxxxx');
  });

  it('reports a host that cannot be reached as unavailable', async () => {
    const port = receiver.port;
    await receiver.close();
    const egress = createEgress({ allow: ['127.0.0.1'] });
    expect((await failure(egress.post(`http://127.0.0.1:${port}/`, POST)))[0]).toBe('unavailable');
    receiver = await Receiver.start();
  });
});
