import { networkInterfaces } from 'node:os';
import { join, relative } from 'node:path';
import type { Exposure } from './exposure.js';
import { addressesForOthers, hostForLocalCallers, httpUrl, isWildcardHost } from './hosts.js';
import type { Interfaces } from './hosts.js';
import { DEFAULT_PORTS } from '../../servers/ports.js';
import type { Servers } from '../../servers/embedded-servers.js';

export interface StartedStack {
  exposure: Exposure;
  apiPort: number;
  /**
   * Whether the person chose the API's port number. If not, and if the API uses another port number
   * than the default, the report says that the default was in use.
   */
  isPortRequested: boolean;
  servers: Pick<Servers, 'temporal' | 'mongodb'>;
  /** Path of the project's langgraph.json; default: the shipped assistant. */
  projectPath?: string;
  dataDir: string;
  tookMs: number;
}

/** Name, address and an optional remark. */
type Row = [name: string, address: string, remark?: string];

/** Formats what `colloquy dev` prints after its start: addresses, and who can reach them. */
export function startReport(started: StartedStack, interfaces: Interfaces = networkInterfaces()): string {
  const { servers, projectPath, dataDir, tookMs } = started;
  const { temporal, mongodb } = servers;
  const rows: Row[] = [
    ...apiRows(started, interfaces),
    ['Temporal', temporal.address, temporal.label],
    ...(temporal.webUi === undefined ? [] : [['Temporal Web UI', temporal.webUi] satisfies Row]),
    ['Database', withoutPassword(mongodb.address), mongodb.label],
    ['Agents', projectPath === undefined ? 'the shipped assistant' : relative('.', projectPath)],
    ['Logs', join(relative('.', dataDir), 'logs')],
  ];
  const widest = Math.max(...rows.map(([, address]) => address.length));
  const lines = rows.map(([name, address, remark]) => {
    return `  ${name.padEnd(17)}${remark === undefined ? address : `${address.padEnd(widest)}  ${remark}`}`;
  });
  const remarks = [...openRemark(started), ...passwordRemark(servers)];
  const ready = `Ready in ${(tookMs / 1000).toFixed(1)} s. Ctrl-C stops everything.`;
  return ['', ...lines, '', ...remarks, ready, ''].join('\n');
}

/** Returns the API's address for programs on this machine. */
export function localApiUrl({ host }: Exposure, port: number): string {
  return httpUrl(hostForLocalCallers(host), port);
}

function apiRows({ exposure, apiPort, isPortRequested }: StartedStack, interfaces: Interfaces): Row[] {
  const { host } = exposure;
  const isUsual = isPortRequested || apiPort === DEFAULT_PORTS.api;
  const url = httpUrl(host, apiPort);
  const api: Row = isUsual ? ['API', url] : ['API', url, `${DEFAULT_PORTS.api} was in use; --port chooses another`];
  if (!isWildcardHost(host)) return [api];
  const others = addressesForOthers(host, interfaces);
  return [
    api,
    ['  from here', localApiUrl(exposure, apiPort)],
    ...others.map((address): Row => ['  from elsewhere', httpUrl(address, apiPort)]),
  ];
}

function openRemark({ exposure, projectPath }: StartedStack): string[] {
  if (!exposure.isOpen) return [];
  const project = projectPath === undefined ? 'the shipped assistant' : relative('.', projectPath);
  return [`Open: ${project} has no auth. Anyone who can reach this machine can read and start conversations.`];
}

function passwordRemark({ temporal, mongodb }: StartedStack['servers']): string[] {
  const embedded = [
    ...(temporal.process === undefined ? [] : ['Temporal']),
    ...(mongodb.process === undefined ? [] : ['the database']),
  ];
  if (embedded.length === 0) return [];
  const names = embedded.join(' and ');
  const verb = embedded.length === 1 ? 'has' : 'have';
  const subject = names.charAt(0).toUpperCase() + names.slice(1);
  return [`${subject} ${verb} no password: any user of this machine can read conversations there.`];
}

function withoutPassword(uri: string): string {
  return uri.replace(/\/\/[^@/]*@/, '//***@');
}
