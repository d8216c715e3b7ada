import { JsonPlusSerializer } from '@langchain/langgraph-checkpoint';

const [OPEN_BRACKET, CLOSE_BRACKET] = ['['.charCodeAt(0), ']'.charCodeAt(0)];

/**
 * LangGraph's serializer with synchronous methods. They are synchronous, because a graph may change
 * a value right after the call. The serializer can also encode a single element of a list.
 */
export class StateSerializer extends JsonPlusSerializer {
  /**
   * Returns the JSON text of a list element, as it stands in the JSON text of the list. Returns
   * undefined if the element cannot be serialized alone.
   */
  element(value: unknown): Uint8Array | undefined {
    if (typeof value === 'string' || typeof value === 'number') return Buffer.from(JSON.stringify(value));
    const list = this._dumps([value]);
    const isList = list[0] === OPEN_BRACKET && list.at(-1) === CLOSE_BRACKET;
    return isList ? list.subarray(1, -1) : undefined;
  }

  /** Serializes a value. It is the synchronous form of LangGraph's `dumpsTyped`. */
  dumps(value: unknown): { type: string; data: Uint8Array } {
    return value instanceof Uint8Array ? { type: 'bytes', data: value } : { type: 'json', data: this._dumps(value) };
  }

  /**
   * Deserializes a value. A value that JSON cannot express, such as a function, has no data. It is
   * undefined then, as after a restart of LangGraph's own server.
   */
  override async loadsTyped(type: string, data: Uint8Array | string): Promise<unknown> {
    return data.length === 0 && type === 'json' ? undefined : super.loadsTyped(type, data);
  }
}
