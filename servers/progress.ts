/** Receives a line about the work in progress, for a person who waits. */
export type OnProgress = (line: string) => void;
