import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/**
 * Returns the headers of the Standard Webhooks specification: the id of the message, the time of
 * this attempt, and a signature for each secret. Several secrets allow rotation. If there is no
 * secret, there is no signature.
 */
export function signatureHeaders(
  id: string,
  at: Date,
  body: string,
  secrets: readonly string[],
): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signatures = secrets.map((secret) => `v1,${sign(secret, `${id}.${timestamp}.${body}`)}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    ...(signatures.length > 0 && { 'webhook-signature': signatures.join(' ') }),
  };
}

/** Signs the content. A secret is `whsec_` and base64, as in the specification. */
function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice(secret.startsWith(PREFIX) ? PREFIX.length : 0), 'base64');
  return createHmac('sha256', key).update(content).digest('base64');
}
