import type { MongoClient } from 'mongodb';

/** A program that speaks MongoDB's wire protocol: how to start it, and what it needs. */
export interface DatabaseProgram {
  /** Name of its data folder, because each program has a data format of its own. */
  dataName: string;
  /** Name and version, for people. */
  label: string;
  /** Printed when the program starts. */
  notice?: string;
  command: string;
  /** Also writes files that the command line refers to. */
  args(folder: string, port: number): string[];
  /** Options for the connection string. */
  uriOptions?: string;
  /** Runs at each probe until the server is ready, before it is asked whether it is primary. */
  initialize?(client: MongoClient, host: string): Promise<void>;
  /** Starts work beside the running server. Returns a function that ends it. */
  maintain?(uri: string): () => Promise<void>;
}
