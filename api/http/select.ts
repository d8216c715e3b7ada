/**
 * Returns only the fields of a record that `fields` names. `values.<key>` selects one key of the
 * thread's state. Returns the whole record if `fields` is absent.
 */
export function select(record: object, fields: readonly string[] | null | undefined): object {
  if (!fields) return record;
  const source = record as Record<string, unknown>;
  const picked: Record<string, unknown> = {};
  for (const field of fields) {
    if (field in source) picked[field] = source[field];
    else if (field.startsWith('values.'))
      picked['values'] = { ...asObject(picked['values']), ...valueAt(source, field) };
  }
  return picked;
}

function valueAt(source: Record<string, unknown>, field: string): Record<string, unknown> {
  const key = field.slice('values.'.length);
  const values = asObject(source['values']);
  return key in values ? { [key]: values[key] } : {};
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
