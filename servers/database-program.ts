import type { MongoClient } from 'mongodb';

/**
 * A database server program that speaks MongoDB's wire protocol (mongod or SecantusDB): how to
 * start it, and what it needs.
 */
export interface DatabaseProgram {
  /**
   * Name of the folder with the program's data. Each program has its own, because their data
   * formats differ.
   */
  dataName: string;
  /** Name and version, for people. */
  label: string;
  /** Notice for the user of the command line, printed when the program starts. */
  notice?: string;
  command: string;
  /** Returns the command-line arguments. Also writes the files that the arguments name. */
  args(folder: string, port: number): string[];
  /** Options that are added to the connection string, such as `retryWrites=false`. */
  uriOptions?: string;
  /**
   * Prepares the server after its start, for example initiates its replica set. It is called before
   * each check of whether the server is primary, until a check succeeds. So a call must do nothing
   * if an earlier call has prepared the server.
   */
  initialize?(client: MongoClient, host: string): Promise<void>;
  /**
   * Starts work that the server needs while it runs, such as the deletion of expired documents.
   * Returns a function that ends this work.
   */
  maintain?(uri: string): () => Promise<void>;
}
