import { createServer } from 'node:http';

/**
 * Serves `GET /ok` for supervisors of the process: 200 while `isHealthy` returns true, else 503.
 * `port` is the TCP port number. If it is undefined, nothing is served.
 */
export async function startHealth(
  port: number | undefined,
  isHealthy: () => boolean,
): Promise<{ close(): Promise<void> }> {
  if (port === undefined) return { close: () => Promise.resolve() };
  const server = createServer((request, response) => {
    const isKnown = request.url === '/ok';
    response.writeHead(isKnown ? (isHealthy() ? 200 : 503) : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ok: isKnown && isHealthy() }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, resolve);
  });
  return {
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
