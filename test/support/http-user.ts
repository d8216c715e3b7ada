export interface UserAnswer {
  status: number;
  text: string;
  headers: Headers;
  /** Undefined where the answer is no JSON. */
  json: unknown;
}

/** Somebody who calls the API with a bearer token. */
export class HttpUser {
  constructor(
    private readonly url: string,
    readonly token: string,
  ) {}

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<UserAnswer> {
    const response = await this.open(method, path, body, headers);
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, text, headers: response.headers, json: isJson ? JSON.parse(text) : undefined };
  }

  /** The answer as soon as its headers are there: of a stream. */
  open(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: method.toUpperCase(),
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /** The body of an answer that must be fine. */
  async get<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text, json } = await this.call(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return json as T;
  }
}
