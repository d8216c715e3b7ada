/** A process that serves until it is told to stop. */
export interface Service {
  /** For whoever started us: address and the like. */
  details?: Record<string, string | number>;
  /** Stops taking work, lets what runs finish, closes what was opened. */
  stop(): Promise<void>;
  /** Rejects when it can serve no more. */
  failed?: Promise<never>;
}

export interface ReadyMessage {
  ready: Record<string, string | number>;
}

/**
 * Runs a service until SIGINT, SIGTERM, or the end of the process that started us; a second signal ends at once.
 * Tells the parent, where there is one, when it is ready.
 */
export async function serve(start: () => Promise<Service>): Promise<number> {
  const stopAsked = new Promise<void>((resolve) => {
    let asked = false;
    const ask = () => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on('SIGINT', ask);
    process.on('SIGTERM', ask);
    process.once('disconnect', resolve);
  });
  const starting = start();
  const service = await Promise.race([starting, stopAsked]);
  if (service === undefined) {
    void starting.then((late) => late.stop()).catch(() => {});
    process.exit(130);
  }
  process.send?.({ ready: service.details ?? {} } satisfies ReadyMessage);
  try {
    await Promise.race([stopAsked, ...(service.failed === undefined ? [] : [service.failed])]);
  } finally {
    await service.stop();
    if (process.connected) process.disconnect();
  }
  return 0;
}
