import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/**
 * Returns the headers of the Standard Webhooks specification: the id of the delivery, the time of
 * this attempt, and a signature for each secret. With two secrets, an operator can replace one
 * secret by the other without an interruption. Without a secret, there is no signature.
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

/**
 * Returns the signature of `content`. `secret` is `whsec_` followed by the key in base64, as in the
 * specification.
 */
function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.slice(secret.startsWith(PREFIX) ? PREFIX.length : 0), 'base64');
  return createHmac('sha256', key).update(content).digest('base64');
}
