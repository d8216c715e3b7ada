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
  /** Returns the arguments of the command line. Also writes the files to which they refer. */
  args(folder: string, port: number): string[];
  /** Options for the connection string. */
  uriOptions?: string;
  /**
   * Runs at each probe until the server is ready. The probe then checks whether the server is
   * primary.
   */
  initialize?(client: MongoClient, host: string): Promise<void>;
  /** Starts work that the running server needs. Returns a function that ends this work. */
  maintain?(uri: string): () => Promise<void>;
}
