/** A service that a process runs until it is stopped. */
export interface Service {
  /**
   * Values that are sent to the parent process when the service is ready, for example its address.
   */
  details?: Record<string, string | number>;
  /** Stops accepting work, lets running work finish, and closes everything. */
  stop(): Promise<void>;
  /** Rejects when the service can no longer work. */
  failed?: Promise<never>;
}

/** Sent to the parent process when the service is ready. */
export interface ReadyMessage {
  ready: Record<string, string | number>;
}

const INTERRUPTED_EXIT = 130;

/**
 * Runs a service until SIGINT, SIGTERM, or the end of the parent process. At a second signal the
 * process exits at once. Returns the exit code. Errors: those of `start` and `failed`.
 */
export async function serve(start: () => Promise<Service>): Promise<number> {
  const stopRequested = new Promise<void>((resolve) => {
    let isRequested = false;
    const onSignal = () => {
      if (isRequested) process.exit(INTERRUPTED_EXIT);
      isRequested = true;
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    process.once('disconnect', resolve);
  });
  const starting = start();
  const service = await Promise.race([starting, stopRequested]);
  if (service === undefined) {
    void starting.then((started) => started.stop()).catch(() => {});
    process.exit(INTERRUPTED_EXIT);
  }
  process.send?.({ ready: service.details ?? {} } satisfies ReadyMessage);
  try {
    await Promise.race([stopRequested, ...(service.failed === undefined ? [] : [service.failed])]);
  } finally {
    await service.stop();
    if (process.connected) process.disconnect();
  }
  return 0;
}
