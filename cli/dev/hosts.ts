import { BlockList, isIP, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** As `os.networkInterfaces()` gives them. */
export type Interfaces = NodeJS.Dict<NetworkInterfaceInfo[]>;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const wildcard = new BlockList();
wildcard.addAddress('0.0.0.0', 'ipv4');
wildcard.addAddress('::', 'ipv6');

const linkLocal = new BlockList();
linkLocal.addSubnet('169.254.0.0', 16, 'ipv4');
linkLocal.addSubnet('fe80::', 10, 'ipv6');

/**
 * Only programs on this machine reach a server on this host. A name other than `localhost`, or a
 * short form like `127.1`, counts as reachable by others, because its resolver decides.
 */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || contains(loopback, host);
}

/** The host stands for all addresses of this machine: `0.0.0.0` or `::`, however it is written. */
export function isWildcardHost(host: string): boolean {
  return contains(wildcard, host);
}

/** The host by which programs on this machine call a server that listens on `host`. */
export function hostForLocalCallers(host: string): string {
  return isWildcardHost(host) ? '127.0.0.1' : host;
}

/** An IPv6 address needs brackets in a URL. */
export function httpUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Addresses by which other machines reach a server on a wildcard host: with `0.0.0.0` only IPv4.
 * Link-local addresses are left out, because a URL cannot use them without a zone.
 */
export function addressesForOthers(host: string, interfaces: Interfaces): string[] {
  return all(interfaces)
    .filter(({ internal, address }) => !internal && !contains(linkLocal, address))
    .map(({ address }) => address)
    .filter((address) => !isIPv4(host) || isIPv4(address));
}

/** Values of a request's `Host` that a server on `host` has to expect, without their ports. */
export function expectedHosts(host: string, interfaces: Interfaces, machine: string): string[] {
  if (isLoopbackHost(host)) return ['localhost'];
  if (!isWildcardHost(host)) return [host];
  return [...new Set([...all(interfaces).map(({ address }) => address), machine])];
}

function all(interfaces: Interfaces): NetworkInterfaceInfo[] {
  return Object.values(interfaces).flatMap((addresses = []) => addresses);
}

function contains(list: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}
