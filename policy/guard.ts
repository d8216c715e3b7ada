import {
  ColloquyError,
  TENANT_PATTERN,
  type Action,
  type Authorize,
  type Caller,
  type Resource,
} from '../protocol/index.js';

/**
 * Authorization rule for a method of a port interface: the caller must be allowed to do `action` on
 * the resources that `resource` reads from the arguments of the call.
 */
export interface Rule<Arguments extends readonly unknown[]> {
  action: Action;
  resource: (...args: Arguments) => Resource | Resource[];
}

/**
 * The authorization rules of a port interface: one or more for each method whose first argument is
 * a caller. If such a method has no rule, the code does not compile. Methods without a caller read
 * no caller's data and are not checked.
 */
export type PortRules<Port> = {
  readonly [Method in keyof Port as Port[Method] extends (...args: infer All) => unknown
    ? All extends [Caller, ...unknown[]]
      ? Method
      : never
    : never]: Port[Method] extends (caller: Caller, ...args: infer Arguments) => unknown
    ? Rule<Arguments> | readonly Rule<Arguments>[]
    : never;
};

type AnyRule = Rule<unknown[]> | readonly Rule<unknown[]>[];
type AnyMethod = (caller: Caller, ...args: unknown[]) => unknown;

/**
 * Returns a port interface's implementation, wrapped so that each call is authorized before the
 * method runs. The methods named in `streams` return an async iterable: their calls are authorized
 * when the iterable is first read. All other methods return a promise. Errors of every call:
 * `forbidden`; `invalid_argument` for a caller without a valid tenant.
 */
export function guarded<Port extends object>(
  port: Port,
  rules: PortRules<Port>,
  authorize: Authorize,
  streams: readonly (keyof Port)[] = [],
): Port {
  const wrapped = Object.entries(rules as Record<string, AnyRule>).map(([name, rule]) => {
    const method = (port as Record<string, AnyMethod>)[name] as AnyMethod;
    const call: AnyMethod = async (caller, ...args) => {
      await checkRule(rule, authorize, caller, args);
      return method(caller, ...args);
    };
    const stream: AnyMethod = async function* (caller, ...args) {
      await checkRule(rule, authorize, caller, args);
      yield* method(caller, ...args) as AsyncIterable<unknown>;
    };
    return [name, streams.includes(name as keyof Port) ? stream : call] as const;
  });
  return { ...port, ...Object.fromEntries(wrapped) };
}

/**
 * Authorizes one call of a method: calls `authorize` for each rule of the method and each resource
 * of that rule. Errors: `forbidden`; `invalid_argument` for a caller without a valid tenant.
 */
export async function checkRule<Arguments extends readonly unknown[]>(
  rule: Rule<Arguments> | readonly Rule<Arguments>[],
  authorize: Authorize,
  caller: Caller,
  args: Arguments,
): Promise<void> {
  checkTenant(caller);
  for (const { action, resource } of [rule].flat()) {
    for (const one of [resource(...args)].flat()) await authorize(caller, action, one);
  }
}

function checkTenant({ tenant }: Caller): void {
  if (TENANT_PATTERN.test(tenant)) return;
  const message = `tenant is ${JSON.stringify(tenant)}; expected a DNS label`;
  throw new ColloquyError('invalid_argument', message, { field: 'tenant' });
}
