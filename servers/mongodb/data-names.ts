import { SECANTUS_DATA_NAMES } from '../secantus/data-names.js';

/** Name of the folder with mongod's data, inside the data folder of Colloquy. */
export const MONGOD_DATA = 'mongod';

/** All entries that an embedded database creates in the data folder. */
export const MONGODB_DATA_NAMES = [MONGOD_DATA, `${MONGOD_DATA}.pid`, ...SECANTUS_DATA_NAMES];
