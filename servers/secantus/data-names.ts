/** Name of SecantusDB's data folder in the data folder of Colloquy. */
export const SECANTUS_DATA = 'secantusdb';

/** All entries that the adapter creates there. Earlier versions also wrote `secantusdb.py`. */
export const SECANTUS_DATA_NAMES = ['', '.pid', '.py', '.toml'].map((suffix) => SECANTUS_DATA + suffix);
