/** Name of the folder with SecantusDB's data, inside the data folder of Colloquy. */
export const SECANTUS_DATA = 'secantusdb';

/**
 * Names of all files and folders of SecantusDB in the data folder of Colloquy. Only earlier
 * versions created `secantusdb.py`.
 */
export const SECANTUS_DATA_NAMES = ['', '.pid', '.py', '.toml'].map((suffix) => SECANTUS_DATA + suffix);
