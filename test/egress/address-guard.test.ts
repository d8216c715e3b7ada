import { describe, expect, it } from '@jest/globals';
import { AddressGuard } from '../../egress/index.js';
import { errorCode } from '../../protocol/index.js';

function verdict(guard: AddressGuard, address: string): string {
  try {
    guard.checkAddress('host', address);
    return 'reached';
  } catch (error) {
    return errorCode(error) ?? String(error);
  }
}

describe('the address guard of outgoing HTTP', () => {
  it.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fe80::1',
    'fec0::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '4000::1',
  ])('refuses the address %s', (address) => {
    expect(verdict(new AddressGuard(), address)).toBe('forbidden');
  });

  it.each(['1.1.1.1', '93.184.215.14', '2606:4700:4700::1111', '::ffff:1.1.1.1'])(
    'allows the public address %s',
    (address) => {
      expect(verdict(new AddressGuard(), address)).toBe('reached');
    },
  );

  it('names the host, the address and the reason when it refuses an address', () => {
    expect(() => new AddressGuard().checkAddress('evil.example', '169.254.169.254')).toThrow(
      'evil.example has the address 169.254.169.254 (linkLocal), which may not be reached from here',
    );
  });

  it('allows the private addresses and networks in its allow list, and no other private ones', () => {
    const guard = new AddressGuard(['10.0.0.7', '172.16.0.0/16', 'fd12::/16']);
    const addresses = ['10.0.0.7', '::ffff:10.0.0.7', '10.0.0.8', '172.16.9.9', '172.17.0.1', 'fd12::5', 'fd13::5'];
    expect(addresses.map((address) => [address, verdict(guard, address)])).toEqual([
      ['10.0.0.7', 'reached'],
      ['::ffff:10.0.0.7', 'reached'],
      ['10.0.0.8', 'forbidden'],
      ['172.16.9.9', 'reached'],
      ['172.17.0.1', 'forbidden'],
      ['fd12::5', 'reached'],
      ['fd13::5', 'forbidden'],
    ]);
  });

  it('allows a host name of its allow list in any letter case, with or without final dot, and no other', () => {
    const guard = new AddressGuard(['Hooks.Internal']);
    expect(['hooks.internal', 'HOOKS.internal.', 'a.hooks.internal'].map((host) => guard.allowsHost(host))).toEqual([
      true,
      true,
      false,
    ]);
  });

  it('refuses an invalid network in its allow list', () => {
    expect(() => new AddressGuard(['10.0.0.0/99'])).toThrow('10.0.0.0/99 is no network');
  });
});
