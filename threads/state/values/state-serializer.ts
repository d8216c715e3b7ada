import { JsonPlusSerializer } from '@langchain/langgraph-checkpoint';

const [OPEN_BRACKET, CLOSE_BRACKET] = ['['.charCodeAt(0), ']'.charCodeAt(0)];

/** LangGraph's serializer, which can encode an element of a list alone, and at once: a graph may change it right after. */
export class StateSerializer extends JsonPlusSerializer {
  /** What stands for the element in the JSON of its list; undefined when it cannot be serialized. */
  element(value: unknown): Uint8Array | undefined {
    if (typeof value === 'string' || typeof value === 'number') return Buffer.from(JSON.stringify(value));
    const list = this._dumps([value]);
    const isList = list[0] === OPEN_BRACKET && list.at(-1) === CLOSE_BRACKET;
    return isList ? list.subarray(1, -1) : undefined;
  }

  /** As `dumpsTyped`, at once. */
  dumps(value: unknown): { type: string; data: Uint8Array } {
    return value instanceof Uint8Array ? { type: 'bytes', data: value } : { type: 'json', data: this._dumps(value) };
  }
}
