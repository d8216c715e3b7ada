/** Returns the cosine similarity of two vectors, from -1 to 1, or 0 if a vector is all zeros. */
function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, squareA, squareB] = [0, 0, 0];
  for (let index = 0; index < a.length; index += 1) {
    const [x, y] = [a[index] ?? 0, b[index] ?? 0];
    dot += x * y;
    squareA += x * x;
    squareB += y * y;
  }
  return squareA === 0 || squareB === 0 ? 0 : dot / Math.sqrt(squareA * squareB);
}

/**
 * Returns the items, those most similar to the query first. The score of an item is the highest
 * similarity of any of its vectors. Items without vectors come last, without a score, in their
 * original order.
 */
export function rank<T>(
  query: Float32Array,
  found: { item: T; vectors: Float32Array[] }[],
): { item: T; score?: number }[] {
  const scored = found
    .filter(({ vectors }) => vectors.length > 0)
    .map(({ item, vectors }) => ({ item, score: Math.max(...vectors.map((vector) => cosine(query, vector))) }))
    .sort((a, b) => b.score - a.score);
  return [...scored, ...found.filter(({ vectors }) => vectors.length === 0).map(({ item }) => ({ item }))];
}
