import { createServer } from 'node:http';

/** Answers `GET /ok` with 200 while `isWell`, else 503, for whoever restarts processes. Without a port there is none. */
export async function startHealth(
  port: number | undefined,
  isWell: () => boolean,
): Promise<{ close(): Promise<void> }> {
  if (port === undefined) return { close: () => Promise.resolve() };
  const server = createServer((request, response) => {
    const isKnown = request.url === '/ok';
    response.writeHead(isKnown ? (isWell() ? 200 : 503) : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ok: isKnown && isWell() }));
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
