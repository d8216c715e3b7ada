/** Where we answer otherwise than LangGraph's JavaScript server (1.5.1), by the name of the probe, and why. */
export const DIFFERENCES: Readonly<Record<string, string>> = {};
