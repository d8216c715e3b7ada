import { SECANTUS_DATA_NAMES } from '../secantus/data-names.js';

/** Name of the folder with mongod's data, inside the data folder of Colloquy. */
export const MONGOD_DATA = 'mongod';

/** Names of all files and folders that mongod and SecantusDB create in the data folder. */
export const MONGODB_DATA_NAMES = [MONGOD_DATA, `${MONGOD_DATA}.pid`, ...SECANTUS_DATA_NAMES];
