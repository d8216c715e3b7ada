/** Name of the folder with SecantusDB's data, inside the data folder of Colloquy. */
export const SECANTUS_DATA = 'secantusdb';

/**
 * All entries that the adapter creates in the data folder of Colloquy. `secantusdb.py` is from
 * earlier versions.
 */
export const SECANTUS_DATA_NAMES = ['', '.pid', '.py', '.toml'].map((suffix) => SECANTUS_DATA + suffix);
