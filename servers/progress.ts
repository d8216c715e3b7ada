/** Called with a line of text about the progress of the work, for a person who waits. */
export type OnProgress = (line: string) => void;
