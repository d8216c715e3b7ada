import { BlockList, isIP, isIPv4 } from 'node:net';
import type { NetworkInterfaceInfo } from 'node:os';

/** The result of `os.networkInterfaces()`. */
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
 * Returns true if only programs on this machine can reach a server that listens on the host.
 * Returns false for names other than `localhost` and for short forms like `127.1`, because their
 * addresses depend on a resolver.
 */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === 'localhost' || contains(loopback, host);
}

/** Returns true for `0.0.0.0` and `::` in any notation. They mean all addresses of this machine. */
export function isWildcardHost(host: string): boolean {
  return contains(wildcard, host);
}

/** Returns the host that programs on this machine use to call a server on `host`. */
export function hostForLocalCallers(host: string): string {
  return isWildcardHost(host) ? '127.0.0.1' : host;
}

/** Returns the HTTP URL of a host and port. An IPv6 address gets brackets. */
export function httpUrl(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * Returns the addresses at which other machines reach a server on a wildcard host. For `0.0.0.0`,
 * returns only IPv4 addresses. Omits link-local addresses, because an IPv6 link-local address works
 * only with a zone, and browsers accept no zone in a URL.
 */
export function addressesForOthers(host: string, interfaces: Interfaces): string[] {
  return all(interfaces)
    .filter(({ internal, address }) => !internal && !contains(linkLocal, address))
    .map(({ address }) => address)
    .filter((address) => !isIPv4(host) || isIPv4(address));
}

/** Returns the values of the `Host` header that a server on `host` accepts, without ports. */
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
