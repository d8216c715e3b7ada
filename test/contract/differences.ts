/**
 * Known differences between the HTTP answers of Colloquy ("here") and of LangGraph's JavaScript
 * server 1.5.1 ("there"). Key: name of the probe that shows the difference. Value: what differs and
 * why. `docs/differences.md` must list the same differences.
 */
export const DIFFERENCES: Readonly<Record<string, string>> = {
  'system assistants': 'there, assistants come unsorted, whatever is asked for; here `sort_by` and `sort_order` hold',
  'a new thread': 'here it also has `values`, `interrupts`, `error` and `state_updated_at`, as Agent Server has',
  'an answer to a question':
    'there, a run that asks a person ends in `success`; here in `interrupted`, as it has not done what it was asked for',
  'reading a run':
    'there `multitask_strategy` defaults to `reject`; here to `enqueue`, as on Agent Server. Here it also has `error`',
  'a run on an unknown thread': 'there 422; here 404, as for every thing that does not exist',
  'a field of the wrong kind': 'there 400; here 422, which names the field and its value',
  'an unknown field': 'there it is ignored in silence; here 422',
  'an invalid thread id': 'there 400; here 422',
};
