/** Receives a line about what is happening, for a person who waits. */
export type OnProgress = (line: string) => void;
