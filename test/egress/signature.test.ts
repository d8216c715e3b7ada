import { describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { signatureHeaders } from '../../egress/index.js';

const SECRET = `whsec_${Buffer.from('a secret of the operator').toString('base64')}`;
const OTHER = `whsec_${Buffer.from('the secret before that one').toString('base64')}`;
const BODY = '{"run_id":"r1"}';

describe('the signature of a webhook', () => {
  it('is accepted by the library of the Standard Webhooks specification', () => {
    const headers = signatureHeaders('r1', new Date(), BODY, [SECRET]);
    expect(headers).toMatchObject({ 'webhook-id': 'r1', 'webhook-timestamp': expect.stringMatching(/^\d{10}$/) });
    expect(new Webhook(SECRET).verify(BODY, headers)).toEqual({ run_id: 'r1' });
    expect(() => new Webhook(SECRET).verify(`${BODY} `, headers)).toThrow('No matching signature');
    expect(() => new Webhook(OTHER).verify(BODY, headers)).toThrow('No matching signature');
  });

  it('is made with every configured secret, so that an old and a new secret are valid together', () => {
    const headers = signatureHeaders('r1', new Date(), BODY, [SECRET, OTHER]);
    for (const secret of [SECRET, OTHER]) expect(new Webhook(secret).verify(BODY, headers)).toEqual({ run_id: 'r1' });
  });

  it('is absent without a secret', () => {
    expect(Object.keys(signatureHeaders('r1', new Date(), BODY, []))).toEqual(['webhook-id', 'webhook-timestamp']);
  });
});
