export interface UserAnswer {
  status: number;
  text: string;
  headers: Headers;
  /** The parsed body of the HTTP answer, or undefined if the body is not JSON. */
  json: unknown;
}

/** A user who calls the API with a bearer token. */
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

  /**
   * Sends a request, and returns the response as soon as its headers have arrived. Use it for
   * streams.
   */
  open(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: method.toUpperCase(),
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  /**
   * Sends a request with any method, and returns the JSON body of the answer. Throws for a status
   * of 300 or more.
   */
  async get<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text, json } = await this.call(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return json as T;
  }
}
