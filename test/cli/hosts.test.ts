import { describe, it, expect } from '@jest/globals';
import {
  addressesForOthers,
  expectedHosts,
  hostForLocalCallers,
  httpUrl,
  isLoopbackHost,
  isWildcardHost,
} from '../../cli/dev/hosts.js';
import type { Interfaces } from '../../cli/dev/hosts.js';

const address = (text: string, internal = false) => ({ address: text, internal }) as never;
const interfaces: Interfaces = {
  lo: [address('127.0.0.1', true), address('::1', true)],
  eth0: [address('192.168.1.7'), address('2001:db8::7'), address('fe80::7')],
  usb0: [address('169.254.3.4')],
};

describe('a host that a server listens on', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST'])(
    'is loopback: %s',
    (host) => {
      expect([isLoopbackHost(host), isWildcardHost(host)]).toEqual([true, false]);
    },
  );

  it.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '::ffff:0.0.0.0'])('means every address: %s', (host) => {
    expect([isLoopbackHost(host), isWildcardHost(host)]).toEqual([false, true]);
  });

  it.each([
    ...['192.168.1.7', '10.0.0.1', '2001:db8::7', 'fe80::7', '::ffff:192.168.1.7', '128.0.0.1', '::2'],
    ...['example.org', 'localhost.example.org', '127.0.0.1.example.org', '127.1', '0', ''],
  ])('is neither loopback nor every address: %j', (host) => {
    expect([isLoopbackHost(host), isWildcardHost(host)]).toEqual([false, false]);
  });

  it('is replaced by 127.0.0.1 in URLs for this machine if it means every address', () => {
    expect(['0.0.0.0', '::', '::1', 'localhost', '192.168.1.7'].map(hostForLocalCallers)).toEqual([
      ...['127.0.0.1', '127.0.0.1', '::1', 'localhost', '192.168.1.7'],
    ]);
  });

  it('is put in brackets in a URL if it is an IPv6 address', () => {
    expect([httpUrl('::1', 2024), httpUrl('localhost', 80)]).toEqual(['http://[::1]:2024', 'http://localhost:80']);
  });

  it('can be reached at the external IPv4 addresses if it is 0.0.0.0, and also at the IPv6 addresses if it is ::', () => {
    expect(addressesForOthers('0.0.0.0', interfaces)).toEqual(['192.168.1.7']);
    expect(addressesForOthers('::', interfaces)).toEqual(['192.168.1.7', '2001:db8::7']);
  });

  it('decides the accepted Host headers: itself; localhost for loopback; all addresses and the machine name for 0.0.0.0 or ::', () => {
    expect(expectedHosts('127.0.0.1', interfaces, 'desk')).toEqual(['localhost']);
    expect(expectedHosts('::1', interfaces, 'desk')).toEqual(['localhost']);
    expect(expectedHosts('192.168.1.7', interfaces, 'desk')).toEqual(['192.168.1.7']);
    expect(expectedHosts('desk.example.org', interfaces, 'desk')).toEqual(['desk.example.org']);
    for (const host of ['0.0.0.0', '::']) {
      expect(expectedHosts(host, interfaces, 'desk')).toEqual([
        ...['127.0.0.1', '::1', '192.168.1.7', '2001:db8::7', 'fe80::7', '169.254.3.4', 'desk'],
      ]);
    }
  });
});
