import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ColloquyError } from '../protocol/index.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

/**
 * Range of the public unicast addresses in IPv6. Outside of this range are, for example,
 * `::127.0.0.1`, site-local and unassigned addresses.
 */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/**
 * Addresses that look public but must not be reached. `168.63.129.16` is Azure's platform service,
 * which every virtual machine in Azure can reach.
 */
const PLATFORM_ADDRESSES = ['168.63.129.16'];

/**
 * Decides which hosts outgoing requests may reach: public hosts, and hosts that the operator allows
 * by name, address or network (`hooks.internal`, `10.0.0.7`, `10.0.0.0/8`). All other addresses are
 * refused, such as loopback, private, link-local and multicast addresses, metadata services of
 * clouds, and IPv6 addresses that contain an IPv4 address (6to4, Teredo, NAT64). Exception: an
 * IPv4-mapped address (`::ffff:…`) is treated as its IPv4 address.
 */
export class AddressGuard {
  readonly #hosts = new Set<string>();
  readonly #networks: Network[] = [];

  /**
   * Reads the list of allowed names, addresses and networks. Errors: `invalid_argument` for an
   * invalid network.
   */
  constructor(allow: readonly string[] = []) {
    for (const entry of allow) {
      if (entry.includes('/')) this.#networks.push(parseNetwork(entry));
      else if (isIP(entry)) this.#networks.push(wholeAddress(entry));
      else this.#hosts.add(normalHost(entry));
    }
  }

  /**
   * Returns whether the operator allows the host by its name. If so, the host may have any address.
   */
  allowsHost(host: string): boolean {
    return this.#hosts.has(normalHost(host));
  }

  /**
   * Throws if requests may not reach the address `text`. `host` is the host that has this address.
   * Errors: `forbidden`, with host and address in the message.
   */
  checkAddress(host: string, text: string): void {
    const address = ipaddr.process(text);
    if (this.#networks.some((network) => matches(address, network))) return;
    if (isPublic(address)) return;
    const range = address.range();
    throw new ColloquyError(
      'forbidden',
      `${host} has the address ${text} (${range}), which may not be reached from here`,
    );
  }
}

function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || PLATFORM_ADDRESSES.includes(address.toString())) return false;
  return address.kind() === 'ipv4' || matches(address, GLOBAL_UNICAST);
}

function matches(address: Address, network: Network): boolean {
  return address.kind() === network[0].kind() && address.match(network);
}

function parseNetwork(text: string): Network {
  try {
    return ipaddr.parseCIDR(text);
  } catch (cause) {
    throw new ColloquyError('invalid_argument', `${text} is no network; expected one like 10.0.0.0/8`, { cause });
  }
}

function wholeAddress(text: string): Network {
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function normalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
