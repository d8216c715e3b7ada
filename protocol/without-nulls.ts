/**
 * Returns the fields without those that are null or undefined. Clients may send null for a field
 * that they do not set.
 */
export function withoutNulls<T extends object>(fields: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  const set = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(set) as { [Name in keyof T]?: NonNullable<T[Name]> };
}
